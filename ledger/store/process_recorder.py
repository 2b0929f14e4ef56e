"""The library's process recorder, writing through the gate: events and how far another log was read, in one commit.

Kafka positions do not go this way (`ledger.store.applied` keeps several of them at once, and takes no lower one);
this is for a process that follows one other eventsourcing application.
"""

from collections.abc import Sequence
from typing import Any, cast

from eventsourcing.persistence import StoredEvent, Tracking
from eventsourcing.postgres import PostgresProcessRecorder
from psycopg import Cursor
from psycopg.rows import DictRow, TupleRow

from ledger.store.recorder import GateRecorder, Guard


class GateProcessRecorder(GateRecorder, PostgresProcessRecorder):
    """Records events under the gate with a `tracking`, both or neither."""

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        tracking: Tracking | None = None,
        guard: Guard | None = None,
        **kwargs: Any,
    ) -> Sequence[int] | None:
        """Append events and move the tracking in one transaction.

        Raises the library's IntegrityError for a tracking that is not beyond the one that is kept: what it stands for
        was recorded before.
        """

        def move(cursor: Cursor[TupleRow]) -> None:
            if guard is not None:
                guard(cursor)
            if tracking is not None:
                # The library only looks whether a row came back, so its kind of row does not matter.
                self._insert_tracking(cast(Cursor[DictRow], cursor), tracking)

        return super().insert_events(stored_events, guard=move, **kwargs)
