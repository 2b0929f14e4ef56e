"""For operators: supply points that are never cut for credit — life support, lifts, fire pumps."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

_Supply = Annotated[str, typer.Argument(help="The supply point's code.")]
_Operator = Annotated[str, typer.Option(envvar="WATTLEDGER_OPERATOR", help="Your operator id.")]


def protect(
    supply: _Supply,
    category: Annotated[str, typer.Option(help="life-support, lift, fire-pump, hospital or other.")],
    evidence: Annotated[str, typer.Option(help="An opaque id, or the hash, of what proves it; never the proof.")],
    review: Annotated[str, typer.Option(metavar="DATE", help="When somebody looks at it again: 2027-03-01.")],
    operator: _Operator,
) -> None:
    """Protect a supply point from being cut for credit; said again, it renews the review."""
    from console.connection import opened_ledger
    from console.errors import ConsoleError
    from ledger.usecases.protection import checked_category, protect_supply

    try:
        review_on = datetime.strptime(review, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ConsoleError(f"{review!r} is no date; write it like 2027-03-01") from None
    with opened_ledger(os.environ) as ledger:
        position = protect_supply(
            ledger,
            supply=supply,
            category=checked_category(category),
            evidence=evidence,
            review_on=review_on,
            operator=operator,
            now=datetime.now(UTC),
        )
    typer.echo(f"{supply}: protected as {category}, to be reviewed on {review_on} (position {position})")


def lift_protection(
    supply: _Supply,
    reason: Annotated[str, typer.Option(help="Why, as a code: moved-out, removed ...")],
    operator: _Operator,
    approved_by: Annotated[str, typer.Option(help="The other person who approved it.")],
) -> None:
    """Lift a protection; it takes two people."""
    from console.connection import opened_ledger
    from ledger.usecases.protection import lift_protection as lift

    with opened_ledger(os.environ) as ledger:
        position = lift(
            ledger,
            supply=supply,
            operator=operator,
            approved_by=approved_by,
            reason=reason,
            now=datetime.now(UTC),
        )
    typer.echo(f"{supply}: no longer protected (position {position})")
