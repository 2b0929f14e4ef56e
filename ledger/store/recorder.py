"""The library's application recorder, writing through the gate by COPY; its reading side is the library's own."""

from collections.abc import Callable, Sequence
from typing import Any

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder
from psycopg import Cursor
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from ledger.store.command import Command
from ledger.store.gate import gated

Guard = Callable[[Cursor[TupleRow]], None]


class GateRecorder(PostgresApplicationRecorder):
    """Records events under the gate; accepts a `command` whose key is kept in the same transaction."""

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        command: Command | None = None,
        commands: Sequence[Command] = (),
        guard: Guard | None = None,
        **kwargs: Any,
    ) -> Sequence[int] | None:
        """Append events in one transaction and return their positions.

        A `guard` looks once more while the gate is held, and raises where nothing may be appended. Not retried here,
        unlike the library's: after a lost COMMIT reply only the caller can tell what happened.
        """
        unknown = sorted(name for name, value in kwargs.items() if value is not None)
        if unknown:
            # A tracking, say, that is silently not recorded would be money booked twice.
            raise TypeError(f"the ledger's recorder does not take {unknown}")
        with self.datastore.get_connection() as connection, gated(connection) as gate:
            if guard is not None:
                guard(gate.cursor)
            positions = gate.append(stored_events)
            if given := [*commands, *([command] if command is not None else [])]:
                _keep_keys(gate.cursor, given, gate.head)
        return list(positions)


def _keep_keys(cursor: Cursor[TupleRow], commands: Sequence[Command], position: int) -> None:
    """Keep what the commands asked for; of their keys a hash only, for callers use references as keys."""
    cursor.execute(
        "INSERT INTO ledger.command_keys (key, digest, content, position)"
        " SELECT t.key, t.digest, t.content, %s"
        " FROM unnest(%s::text[], %s::bytea[], %s::jsonb[]) AS t (key, digest, content)",
        (
            position,
            [command.kept_key for command in commands],
            [command.digest for command in commands],
            [Jsonb(command.content) for command in commands],
        ),
    )
