"""How a use case appends: decide on the newest state, append, decide again if another writer was first."""

import random
import time
from collections.abc import Callable, Sequence

from ledger.domain.event import Event
from ledger.store.application import IntegrityError, Ledger
from ledger.store.command import Command
from ledger.store.recorder import Guard
from ledger.values.errors import Refused

_ATTEMPTS = 100
# Pauses of random length let many writers of one stream pass one after the other.
_LONGEST_PAUSE_S = 0.2
_FIRST_PAUSE_S = 0.005


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
    return appended_once(ledger, decide, command=command, guard=guard)[0]


def appended_once(
    ledger: Ledger,
    decide: Callable[[], Sequence[Event]],
    *,
    command: Command | None,
    guard: Guard | None = None,
) -> tuple[int, bool]:
    """Do the same and tell, too, whether the command had its effect before this call."""
    for attempt in range(_ATTEMPTS):
        if command is not None and (position := ledger.earlier(command)) is not None:
            return position, True
        events = decide()
        if not events:
            return 0, False
        try:
            return ledger.append(*events, command=command, guard=guard), False
        except IntegrityError:
            time.sleep(random.uniform(0, min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S)))  # noqa: S311 - no secret
    raise Refused(f"other writers were first {_ATTEMPTS} times in a row; try again")
