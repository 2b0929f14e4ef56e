"""The ledger as an eventsourcing application: load a stream, append events, keep commands idempotent."""

from collections.abc import Callable, Collection
from typing import ClassVar, TypeVar
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import IntegrityError
from eventsourcing.postgres import PostgresApplicationRecorder
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from ledger.domain.event import Event, Fact
from ledger.store.account_log import occupied_by
from ledger.store.command import Command, kept_key
from ledger.store.log import Logged, read_log
from ledger.store.recorder import Guard
from ledger.store.standing import Checkpoint, Standing, from_the_first, standing_of
from ledger.values.errors import Conflict

State = TypeVar("State")

# An index serves this: its expression and its condition must stand here word for word.
_CREDITED_WITH = """
SELECT notification_id FROM ledger.events
WHERE topic = 'account.credited/1' AND ledger.fact(state) ->> 'reference_hash' = %s
ORDER BY notification_id DESC LIMIT 1
"""


class Ledger(Application[UUID]):
    """The ledger at a PostgreSQL URL, for use cases; close it when done."""

    name = "ledger"
    env: ClassVar[dict[str, str]] = {
        "PERSISTENCE_MODULE": "ledger.store.factory:GateFactory",
        "MAPPER_TOPIC": "ledger.store.mapper:FactMapper",
        # DDL lives in migrations; database functions would drop what we pass and commit ids out of order.
        "CREATE_TABLE": "n",
        "POSTGRES_ENABLE_DB_FUNCTIONS": "n",
        "POSTGRES_SCHEMA": "ledger",
        "POSTGRES_POOL_SIZE": "1",
        "POSTGRES_MAX_OVERFLOW": "9",
    }

    def __init__(self, *, url: str, checkpoint: Checkpoint = from_the_first) -> None:
        """Open the ledger; `checkpoint` is where balances are read from, so that nobody adds up their history."""
        parameters = {key: str(value) for key, value in conninfo_to_dict(url).items()}
        super().__init__(
            {
                "POSTGRES_DBNAME": parameters.pop("dbname", "postgres"),
                "POSTGRES_HOST": parameters.pop("host", ""),
                "POSTGRES_PORT": parameters.pop("port", "5432"),
                "POSTGRES_USER": parameters.pop("user", ""),
                "POSTGRES_PASSWORD": parameters.pop("password", ""),
            }
        )
        recorder = self.recorder
        if not isinstance(recorder, PostgresApplicationRecorder):
            raise TypeError("the ledger needs its own recorder; unset PERSISTENCE_MODULE in the environment")
        self.datastore = recorder.datastore
        self._checkpoint = checkpoint
        # What a URL may say beyond these five, TLS above all, must not get lost.
        if isinstance(self.datastore.pool.kwargs, dict):
            self.datastore.pool.kwargs.update(parameters)

    def folded(self, stream: UUID, evolve: Callable[[State, Fact], State], initial: State) -> tuple[State, int]:
        """Return a stream's state and version; the initial state and 0 where it has no events."""
        state, version = initial, 0
        for event in self.events.get(stream):
            if not isinstance(event, Event):
                raise TypeError(f"stream {stream} gave {event!r}")
            state, version = evolve(state, event.fact), event.originator_version
        return state, version

    def newest(self, stream: UUID) -> tuple[Fact | None, int]:
        """Return a stream's newest fact and its version, for streams whose every event carries the whole state."""
        for event in self.events.get(stream, desc=True, limit=1):
            if not isinstance(event, Event):
                raise TypeError(f"stream {stream} gave {event!r}")
            return event.fact, event.originator_version
        return None, 0

    def append(self, *events: Event, command: Command | None = None, guard: Guard | None = None) -> int:
        """Append events in one transaction and return the position of the last; a `guard` may refuse to the end.

        Raises the library's IntegrityError where another writer was first; nothing is appended then.
        """
        recordings = self.save(*events, command=command, guard=guard)
        return recordings[-1].notification.id

    def standing(self, accounts: Collection[str]) -> Standing:
        """Return what stands on these accounts at the head; raises Refused where balances are not known that far."""
        with self.datastore.get_connection() as connection:
            return standing_of(connection, accounts, self._checkpoint)

    def event_at(self, position: int) -> Logged | None:
        """Return the event at a position, None where there is none."""
        with self.datastore.get_connection() as connection:
            found = read_log(connection, after=position - 1, upto=position, limit=1)
        return found[0] if found else None

    def position_of(self, stream: UUID, version: int) -> int:
        """Return where in the ledger a stream's event of this version is; 0 where there is none."""
        with self.datastore.get_connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(
                "SELECT notification_id FROM ledger.events WHERE originator_id = %s AND originator_version = %s",
                (stream, version),
            )
            row = cursor.fetchone()
        return 0 if row is None else int(row[0])

    def occupied_by(self, account: str) -> list[str]:
        """Return the supply points that an account pays for or did, vacant ones of a landlord's included, by code."""
        with self.datastore.get_connection() as connection:
            return occupied_by(connection, [account])

    def credited_with(self, reference_hash: str) -> int | None:
        """Return the position of the newest top-up with an outside reference's keyed hash; None where none has it."""
        with self.datastore.get_connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(_CREDITED_WITH, (reference_hash,)).fetchone()
        return None if row is None else int(row[0])

    def earlier(self, command: Command) -> int | None:
        """Return the position that a command with this key got before, None where there was none.

        Raises Conflict where the key came with other content, naming the difference.
        """
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT digest, content, position FROM ledger.command_keys WHERE key = %s", (command.kept_key,)
            )
            row = cursor.fetchone()
        if row is None:
            return None
        if bytes(row["digest"]) == command.digest:
            return int(row["position"])
        found = differences(row["content"], command.content)
        raise Conflict(
            f"idempotency key {command.key!r} was used before with other content ({found});"
            " use a new key for a new command",
            differences=found,
        )

    def asked_before(self, key: str) -> dict[str, str] | None:
        """Return what the command with a key asked for, None where there was none."""
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT content FROM ledger.command_keys WHERE key = %s", (kept_key(key),))
            row = cursor.fetchone()
        return None if row is None else dict(row["content"])


def differences(before: dict[str, str], after: dict[str, str]) -> str:
    """Say in what the contents of two commands with one key differ."""
    return "; ".join(
        f"{name} was {before.get(name)!r}, is {after.get(name)!r}"
        for name in sorted(set(before) | set(after))
        if before.get(name) != after.get(name)
    )


__all__ = ["IntegrityError", "Ledger", "State", "differences"]
