"""The eventsourcing library's own test cases of recorders, run against ours on PostgreSQL.

They run unchanged. Not run are `optional_test_insert_subscribe`, for it hands a recorder's subscription to threads of
its own and we tail the log by `ledger.store.log` instead, and the cases of aggregate recorders: ours keeps no
snapshots.
"""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    ProcessRecorder,
    StoredEvent,
    Tracking,
    TrackingRecorder,
)
from eventsourcing.postgres import PostgresApplicationRecorder
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
    ProcessRecorderTestCase,
    TrackingRecorderTestCase,
)

from ledger.store.application import Ledger
from ledger.store.process_recorder import GateProcessRecorder
from ledger.store.recorder import GateRecorder
from tests.services.postgres import Database


class _OnOurDatabase:
    ledger: Ledger

    @pytest.fixture(autouse=True)
    def _opened(self, database: Database) -> Iterator[None]:
        with Ledger(url=database.url("wattledger_writer")) as self.ledger:
            yield

    @property
    def recorder(self) -> GateRecorder:
        recorder: ApplicationRecorder = self.ledger.recorder
        assert isinstance(recorder, GateRecorder)
        return recorder


class TestAnApplicationRecorder(_OnOurDatabase, ApplicationRecorderTestCase[PostgresApplicationRecorder]):
    def create_recorder(self) -> PostgresApplicationRecorder:
        return self.recorder


class TestPositionsOfTwoWritersDoNotInterleave(_OnOurDatabase, NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> ApplicationRecorder:
        return self.recorder


class _ProcessOnOurDatabase(_OnOurDatabase):
    @property
    def process_recorder(self) -> GateProcessRecorder:
        recorder = self.ledger.factory.process_recorder()
        assert isinstance(recorder, GateProcessRecorder)
        return recorder


class TestAProcessRecorder(_ProcessOnOurDatabase, ProcessRecorderTestCase):
    def create_recorder(self) -> ProcessRecorder:
        return self.process_recorder

    def test_a_tracking_that_is_refused_leaves_no_event(self) -> None:
        recorder = self.process_recorder
        recorder.insert_events([], tracking=Tracking("upstream", 7))
        event = StoredEvent(uuid4(), 1, "topic", b"state")
        with pytest.raises(IntegrityError):
            recorder.insert_events([event], tracking=Tracking("upstream", 7))
        assert recorder.max_notification_id() is None
        assert recorder.insert_events([event], tracking=Tracking("upstream", 8)) == [1]


class TestATrackingRecorder(_ProcessOnOurDatabase, TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        return self.ledger.factory.tracking_recorder()


class TestPositionsOfTwoProcessesDoNotInterleave(_ProcessOnOurDatabase, NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> ApplicationRecorder:
        return self.process_recorder


# Collected by name from here, the abstract cases themselves would run without a recorder.
del ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase
del ProcessRecorderTestCase, TrackingRecorderTestCase
