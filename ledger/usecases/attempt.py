"""How a use case appends: decide on the newest state, append, decide again if another writer was first."""

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ledger.domain.event import Event
from ledger.store.application import IntegrityError, Ledger
from ledger.store.command import Command
from ledger.store.recorder import Guard
from ledger.store.standing import Moved, Standing, check_unmoved
from ledger.values.errors import InvalidValue, LedgerError, Refused

_ATTEMPTS = 100
# Pauses of random length let many writers of one stream pass one after the other.
_LONGEST_PAUSE_S = 0.2
_FIRST_PAUSE_S = 0.005


@dataclass(frozen=True, slots=True)
class Booked:
    """A command with its effect: where it stands in the ledger, and whether it stood there before this call."""

    position: int
    is_repeat: bool


def appended(
    ledger: Ledger,
    decide: Callable[[], Sequence[Event]],
    *,
    command: Command | None = None,
    guard: Guard | None = None,
) -> int:
    """Append what `decide` returns and return the last position, 0 where there is nothing to append.

    A `guard` looks once more inside the gate.

    A command whose key was used before appends nothing and returns its first position. Raises Conflict where the key
    came with other content, Refused where other writers were first every time.
    """
    return _appended(ledger, lambda: (decide(), guard), command).position


def appended_once(
    ledger: Ledger,
    decide: Callable[[], Sequence[Event]],
    *,
    command: Command,
) -> Booked:
    """Do the same and tell, too, whether the command had its effect before this call."""
    return _appended(ledger, lambda: (decide(), None), command)


def appended_guarded(
    ledger: Ledger,
    decide: Callable[[], Sequence[Event]],
    *,
    command: Command | None,
    guard: Guard,
) -> Booked:
    """Do the same with a guard that looks once more inside the gate."""
    return _appended(ledger, lambda: (decide(), guard), command)


def appended_on_standing(
    ledger: Ledger,
    decide: Callable[[Standing], Sequence[Event]],
    *,
    accounts: Collection[str],
    command: Command | None,
) -> Booked:
    """Do the same with what stands on some accounts, which have not moved when the events are appended."""

    def decided() -> tuple[Sequence[Event], Guard]:
        standing = ledger.standing(accounts)
        return decide(standing), lambda cursor: check_unmoved(cursor, standing, accounts)

    return _appended(ledger, decided, command)


def appended_deciding(
    ledger: Ledger, decide: Callable[[], tuple[Sequence[Event], Guard]], *, command: Command
) -> Booked:
    """Do the same where what is decided says, too, what must not have moved when it is appended."""
    return _appended(ledger, decide, command)


def checked_key(key: str) -> str:
    """Return the caller's idempotency key; raises InvalidValue where it is none."""
    if not (1 <= len(key) <= 200 and key.isprintable()):
        raise InvalidValue(
            f"idempotency key {key!r} is not 1 to 200 printable characters; give such a key, new for each command"
        )
    return key


def _appended(
    ledger: Ledger, decide: Callable[[], tuple[Sequence[Event], Guard | None]], command: Command | None
) -> Booked:
    for attempt in range(_ATTEMPTS):
        if command is not None and (position := ledger.earlier(command)) is not None:
            return Booked(position, is_repeat=True)
        try:
            events, guard = decide()
        except LedgerError:
            # Refused perhaps for what the very same command, sent twice, has done a moment ago.
            if command is not None and (position := ledger.earlier(command)) is not None:
                return Booked(position, is_repeat=True)
            raise
        if not events:
            return Booked(0, is_repeat=False)
        try:
            return Booked(ledger.append(*events, command=command, guard=guard), is_repeat=False)
        except (IntegrityError, Moved):
            time.sleep(random.uniform(0, min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S)))  # noqa: S311 - no secret
    raise Refused(f"other writers were first {_ATTEMPTS} times in a row; try again")
