"""A ledger whose appends wait: thousands of use cases decide one after another, and are booked a few hundred at once.

What a use case appended here it and the next ones see; nobody else does until `commit`. Whoever was first at a stream
or a key meanwhile wins: then nothing of that part is booked.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from ledger.domain.event import Event, Fact
from ledger.store.application import Ledger, State, differences
from ledger.store.command import Command, kept_key
from ledger.store.mapper import fact_of
from ledger.store.recorder import Guard
from ledger.store.standing import Checkpoint, from_the_first
from ledger.values.errors import Conflict

_STREAMS_AT_ONCE = 2_000
# The gate is held while so many events are copied: some tens of milliseconds.
EVENTS_AT_ONCE = 2_500

_READ_STREAMS = """
SELECT originator_id, originator_version, topic, state FROM ledger.events
WHERE originator_id = ANY(%s) ORDER BY originator_id, originator_version
"""


@dataclass(slots=True)
class Unit:
    """What must be booked together or not at all."""

    events: list[Event] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)


class BatchedLedger(Ledger):
    """The ledger at a PostgreSQL URL, for many use cases in a row, by one thread; close it when done."""

    def __init__(self, *, url: str, checkpoint: Checkpoint = from_the_first) -> None:
        super().__init__(url=url, checkpoint=checkpoint)
        self._streams: dict[UUID, list[Event]] = {}
        self._keys: dict[str, dict[str, str] | None] = {}
        self._units: list[Unit] = []
        self._unit: Unit | None = None

    def preload(self, *, streams: Iterable[UUID], keys: Iterable[str]) -> None:
        """Read streams and keys of commands ahead, many at once; they must be few enough for memory."""
        wanted, names = list(streams), list(keys)
        self._streams.update({stream: [] for stream in wanted})
        self._keys.update(dict.fromkeys(names))
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            for start in range(0, len(wanted), _STREAMS_AT_ONCE):
                cursor.execute(_READ_STREAMS, (wanted[start : start + _STREAMS_AT_ONCE],))
                for row in cursor.fetchall():
                    fact = fact_of(row["topic"], bytes(row["state"]))
                    stream = row["originator_id"]
                    self._streams[stream].append(Event(stream, row["originator_version"], fact))
            given = {kept_key(name): name for name in names}
            cursor.execute("SELECT key, content FROM ledger.command_keys WHERE key = ANY(%s)", (list(given),))
            self._keys.update({given[row["key"]]: row["content"] for row in cursor.fetchall()})

    @contextmanager
    def together(self) -> Iterator[Unit]:
        """Take what is appended in the block as one unit; where the block raises, nothing of it stays."""
        unit = self._unit = Unit()
        try:
            yield unit
        except BaseException:
            for event in unit.events:
                self._streams[event.originator_id].remove(event)
            for command in unit.commands:
                self._keys[command.key] = None
            raise
        finally:
            self._unit = None
        if unit.events:
            self._units.append(unit)

    def folded(self, stream: UUID, evolve: Callable[[State, Fact], State], initial: State) -> tuple[State, int]:
        """Return a stream's state and version, what waits to be booked included."""
        if stream not in self._streams:
            self.preload(streams=[stream], keys=())
        state, version = initial, 0
        for event in self._streams[stream]:
            state, version = evolve(state, event.fact), event.originator_version
        return state, version

    def append(self, *events: Event, command: Command | None = None, guard: Guard | None = None) -> int:
        """Keep events for `commit`; the position is not known yet, and 0 is returned."""
        if self._unit is None:
            raise RuntimeError("a batched ledger takes events in a block of `together` only")
        for event in events:
            self._streams.setdefault(event.originator_id, []).append(event)
        self._unit.events.extend(events)
        if command is not None:
            self._keys[command.key] = command.content
            self._unit.commands.append(command)
        if guard is not None:
            self._unit.guards.append(guard)
        return 0

    def earlier(self, command: Command) -> int | None:
        """Return 0 where a command with this key was given before, None where none was; raises Conflict."""
        before = self.asked_before(command.key)
        if before is None:
            return None
        if before == command.content:
            return 0
        raise Conflict(
            f"idempotency key {command.key!r} was used before with other content"
            f" ({differences(before, command.content)}); use a new key for a new command",
            differences=differences(before, command.content),
        )

    def asked_before(self, key: str) -> dict[str, str] | None:
        """Return what the command with a key asked for, what waits to be booked included."""
        if key not in self._keys:
            self.preload(streams=(), keys=[key])
        return self._keys[key]

    def commit(self) -> Iterator[int]:
        """Book what waits, part by part, and yield how many units each part had.

        Raises the library's IntegrityError where another writer was first at one of a part's streams or keys: nothing
        of that part and of those after it is booked then.
        """
        while self._units:
            part = _first_part(self._units)
            events = [event for unit in part for event in unit.events]
            commands = [command for unit in part for command in unit.commands]
            guards = [guard for unit in part for guard in unit.guards]
            self.save(*events, commands=commands, guard=_all_of(guards))
            del self._units[: len(part)]
            yield len(part)


def _first_part(units: Sequence[Unit]) -> list[Unit]:
    part: list[Unit] = []
    size = 0
    for unit in units:
        size += len(unit.events)
        if part and size > EVENTS_AT_ONCE:
            break
        part.append(unit)
    return part


def _all_of(guards: Sequence[Guard]) -> Guard:
    def guard(cursor: Cursor[TupleRow]) -> None:
        for one in guards:
            one(cursor)

    return guard
