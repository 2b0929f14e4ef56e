"""How a use case appends: decide on the newest state, append, decide again if another writer was first."""

from collections.abc import Callable, Sequence

from ledger.domain.event import Event
from ledger.store.application import IntegrityError, Ledger
from ledger.store.command import Command
from ledger.values.errors import Refused

_ATTEMPTS = 20


def appended(ledger: Ledger, decide: Callable[[], Sequence[Event]], *, command: Command | None = None) -> int:
    """Append what `decide` returns and return the last position.

    A command whose key was used before appends nothing and returns its first position. Raises Conflict where the key
    came with other content, Refused where other writers were first every time.
    """
    for _ in range(_ATTEMPTS):
        if command is not None and (position := ledger.earlier(command)) is not None:
            return position
        events = decide()
        try:
            return ledger.append(*events, command=command)
        except IntegrityError:
            continue
    raise Refused(f"other writers were first {_ATTEMPTS} times in a row; try again")
