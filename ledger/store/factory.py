"""The library's factory of recorders, for tables whose DDL lives in `migrations`."""

from typing import Any

from eventsourcing.persistence import ApplicationRecorder, ProcessRecorder
from eventsourcing.postgres import PostgresFactory, PostgresTrackingRecorder

from ledger.store.gate import CHANNEL
from ledger.store.process_recorder import GateProcessRecorder
from ledger.store.recorder import GateRecorder

_EVENTS, _TRACKING = "events", "tracking"


class GateFactory(PostgresFactory):
    """Makes recorders of `ledger.events` and `ledger.tracking`."""

    application_recorder_class = GateRecorder
    process_recorder_class = GateProcessRecorder

    def application_recorder(self) -> ApplicationRecorder:
        """Return the recorder of events."""
        recorder = GateRecorder(datastore=self.datastore, events_table_name=_EVENTS)
        recorder.channel_name = CHANNEL
        return recorder

    def process_recorder(self) -> ProcessRecorder:
        """Return the recorder of events and of how far another application's log was read."""
        recorder = GateProcessRecorder(
            datastore=self.datastore, events_table_name=_EVENTS, tracking_table_name=_TRACKING
        )
        recorder.channel_name = CHANNEL
        return recorder

    def tracking_recorder(self, tracking_recorder_class: type[Any] | None = None) -> Any:
        """Return the recorder of how far other applications' logs were read."""
        recorder_class = tracking_recorder_class or PostgresTrackingRecorder
        return recorder_class(datastore=self.datastore, tracking_table_name=_TRACKING)
