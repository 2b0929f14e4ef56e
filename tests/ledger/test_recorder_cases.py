"""The eventsourcing library's own test cases of an application recorder, run against ours on PostgreSQL.

They run unchanged. Not run are `optional_test_insert_subscribe`, for it hands a recorder's subscription to threads of
its own and we tail the log by `ledger.store.log` instead, and the cases of aggregate, tracking and process recorders:
ours keeps no snapshots, and positions move beside the events (`ledger.store.applied`), not as the library's tracking.
"""

from collections.abc import Iterator

import pytest
from eventsourcing.persistence import ApplicationRecorder
from eventsourcing.postgres import PostgresApplicationRecorder
from eventsourcing.tests.persistence import ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase

from ledger.store.application import Ledger
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


# Collected by name from here, the abstract cases themselves would run without a recorder.
del ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase
