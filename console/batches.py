"""Something done to many supply points, with a result for each, and what became of the orders that it led to."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import typer

if TYPE_CHECKING:
    from ledger.store.application import Ledger
    from projections.queries import RelayState

    Do = Callable[[Ledger, str], int]

_LOOK_EVERY_S = 0.5


class Result(NamedTuple):
    """What became of a supply point's part: its position in the ledger, or 0 and why it was refused."""

    supply: str
    position: int
    refusal: str = ""


def done_to_each(ledger: "Ledger", supplies: Sequence[str], do: "Do") -> Iterator[Result]:
    """Do something to one supply point after the other; what is refused stops no other."""
    from ledger.values.errors import LedgerError

    for supply in dict.fromkeys(supplies):
        try:
            yield Result(supply, do(ledger, supply))
        except LedgerError as error:
            yield Result(supply, 0, str(error))


def tell_each(supplies: Sequence[str], do: "Do", told: str, *, wait_s: float = 0.0, wanted: str = "") -> None:
    """Do something to each, tell each result, and exit with 1 where any was refused.

    With `wait_s` it waits so long for the relays to be read back, and exits with 1, too, where an order was not
    confirmed, or none was answered and the relay is not as it is `wanted` (open or closed, if that is known). One
    supply point alone that is refused is an error as ever.
    """
    from console.connection import opened_ledger

    before = _states(supplies) if wait_s else {}
    refused: set[str] = set()
    with opened_ledger(os.environ) as ledger:
        if len(supplies) == 1:
            typer.echo(f"{supplies[0]}: {told} (position {do(ledger, supplies[0])})")
        else:
            for result in done_to_each(ledger, supplies, do):
                refused |= {result.supply} if result.refusal else set()
                what = f"refused: {result.refusal}" if result.refusal else f"{told} (position {result.position})"
                typer.echo(f"{result.supply}: {what}")
    if refused:
        typer.echo(f"{len(refused)} of {len(supplies)} were refused")
    done = {supply: state for supply, state in before.items() if supply not in refused}
    if _tell_outcomes(done, wait_s=wait_s, wanted=wanted) or refused:
        raise typer.Exit(1)


def _tell_outcomes(before: "dict[str, RelayState]", *, wait_s: float, wanted: str) -> int:
    """Wait until each has its answer, or time is over; tell what became of each, and how many are not as wanted."""
    deadline = time.monotonic() + wait_s
    now = _states(list(before))
    while not all(_is_answered(before[supply], now[supply]) for supply in before) and time.monotonic() < deadline:
        time.sleep(min(_LOOK_EVERY_S, wait_s))
        now = _states(list(before))
    failures = 0
    for supply, state in now.items():
        actual = "closed" if state.actual == "unknown" and not state.order_sequence else state.actual
        is_answered = _is_answered(before[supply], state)
        what = (
            f"order {state.order_sequence} {state.order_outcome}"
            if is_answered
            else f"no order was answered within {wait_s:g} s"
        )
        typer.echo(f"{supply}: {what}, read back {actual}")
        failures += state.order_outcome != "confirmed" if is_answered else wanted not in {"", actual}
    return failures


def _is_answered(before: "RelayState", now: "RelayState") -> bool:
    return now.order_sequence > before.order_sequence and bool(now.order_outcome)


def _states(supplies: Sequence[str]) -> "dict[str, RelayState]":
    from console.connection import finance_connection
    from projections.queries import relay_states

    if not supplies:
        return {}
    with finance_connection(os.environ) as connection:
        rows = relay_states(connection, now=datetime.now(UTC))
    return {row.supply: row for row in rows if row.supply in set(supplies)}
