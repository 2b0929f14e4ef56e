"""For operators: readings that are held instead of billed, and what else waits for a person."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

_PANEL = "Operators"
_Hold = Annotated[int, typer.Argument(help="The hold's position, as `wattledger readings held` shows it.")]
_Operator = Annotated[str, typer.Option(help="Who decides: an opaque id, no name.")]
_Reason = Annotated[str, typer.Option(help="Why, as a code such as seen-on-site; no personal data.")]


def register(app: typer.Typer) -> None:
    """Add `readings held`, `readings release`, `readings dismiss` and `worklist`."""
    group = typer.Typer(help="Readings that are held instead of billed.", no_args_is_help=True)
    group.command("held")(held)
    group.command("release")(release)
    group.command("dismiss")(dismiss)
    app.add_typer(group, name="readings", rich_help_panel=_PANEL)
    app.command("worklist", rich_help_panel=_PANEL)(worklist)


def held() -> None:
    """Show the open holds: their positions, what the readings claim, and why they are not billed."""
    from console.supplies.waiting_shown import show_holds

    show_holds(os.environ)


def release(hold: _Hold, operator: _Operator, reason: _Reason) -> None:
    """Release a held reading: it is billed if it is later than what is billed, and is a correction otherwise.

    Of a register that fell, the fall is believed: it goes on from there, and what it counted before is billed to
    nobody. What a release came to is told by the ledger with the supply point's next reading, be it nothing.
    """
    _resolve(hold, "release", operator, reason)


def dismiss(hold: _Hold, operator: _Operator, reason: _Reason) -> None:
    """Dismiss a held reading: it is no money, and its episode is closed.

    A register that stays wrong is held again; waiting does not make it believable.
    """
    _resolve(hold, "dismiss", operator, reason)


def worklist(
    kind: Annotated[str, typer.Option(help="Items of this kind only, such as serial-mismatch.")] = "",
) -> None:
    """Show what waits for a person: which supply points, since when and why.

    serial-mismatch: a meter reads back another serial than its own. Its supply point is not switched until it is
    exchanged, or reads back its own again.

    reading-held: a reading is not believed; look at the meter, then `readings release` or `readings dismiss`.

    held-delivery: a payment provider told what cannot be booked as it is; see `deliveries list`.

    unknown-charge: nobody knows whether an automatic top-up was charged; ask the provider, then `autopay settle`.

    collector-silent: a concentrator's collector was not heard for five minutes; `collectors heard` tells more.

    meter-recharged: within 31 days a meter's own purchases or recharge log changed: credit was loaded into the meter
    itself, past every account; `collectors own-credit`.

    relay-unconfirmed: a relay does not do as it is told; somebody has to go there.

    held-batch: so many of a site would be cut at once that somebody looks first; `relays held-batch`.

    protection-review: whether a supply is still to be protected was to be looked at by now; `supply protect`.

    proposal: a command waits for a second person; `proposals list`.

    unidentified-receipt: money came in, and nobody knows for whom; `receipts list`.
    """
    from console.supplies.waiting_shown import show_worklist

    show_worklist(os.environ, kind=kind or None)


def _resolve(hold: int, resolution: str, operator: str, reason: str) -> None:
    from console.connection import opened_ledger
    from ledger.usecases.holds import resolve_hold

    with opened_ledger(os.environ) as ledger:
        fact = resolve_hold(
            ledger,
            position=hold,
            resolution="release" if resolution == "release" else "dismiss",
            operator=operator,
            reason=reason,
            now=datetime.now(UTC),
        )
    done = "released" if resolution == "release" else "dismissed"
    typer.echo(f"{fact.supply}: the reading of {fact.read_at.isoformat()} is {done}; settled with the next one")
