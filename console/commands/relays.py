"""For operators: what is on and what is off, locks and consents, and the readings that were held."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from console.batches import tell_each
from console.switching import relays_group

if TYPE_CHECKING:
    from ledger.store.application import Ledger
    from projections.queries import RelayState

_PANEL = "Operators"
_Supply = Annotated[str, typer.Argument(help="The supply point's code.")]
_Supplies = Annotated[list[str], typer.Argument(help="The supply points' codes.")]
_Cause = Annotated[
    str, typer.Option(help="over-power, safety, maintenance, tamper, vacancy or operator; each is its own lock.")
]
_Operator = Annotated[
    str,
    typer.Option(
        envvar="WATTLEDGER_OPERATOR", help="Who does it: an id, never a name; it is kept with the lock for good."
    ),
]
_Wait = Annotated[
    float, typer.Option(min=0, max=3600, metavar="SECONDS", help="Wait so long for the relays to be read back.")
]


def register(app: typer.Typer) -> None:
    """Add `relays` with its commands, `lock`, `unlock`, `consent` and `held`."""
    app.add_typer(relays_group(), name="relays", rich_help_panel=_PANEL)
    for name, command in (
        ("lock", lock),
        ("unlock", unlock),
        ("consent", consent),
        ("held", show_held),
    ):
        app.command(name, rich_help_panel=_PANEL)(command)


def lock(
    supplies: _Supplies,
    reason: Annotated[str, typer.Option(help="Why, as a code such as works or safety-check; no personal data.")],
    cause: _Cause = "operator",
    until: Annotated[str, typer.Option(help="When it ends by itself (ISO 8601 with zone); never if not given.")] = "",
    operator: _Operator = "console",
    wait: _Wait = 0,
) -> None:
    """Lock supply points off for a cause: their relays are opened, and stay so until that lock is cleared."""
    from ledger.usecases.relays import set_lock
    from ledger.values.instants import parse_instant

    end = parse_instant(until) if until else None

    def locked(ledger: "Ledger", supply: str) -> int:
        now = datetime.now(UTC)
        return set_lock(ledger, supply=supply, reason=reason, operator=operator, cause=cause, until=end, now=now)

    tell_each(
        supplies, locked, f"locked off for {reason}; `wattledger relays` shows the order", wait_s=wait, wanted="open"
    )


def unlock(
    supplies: _Supplies,
    reason: Annotated[str, typer.Option(help="Why, as a code.")] = "done",
    cause: _Cause = "operator",
    second: Annotated[str, typer.Option(help="The second person, where maintenance is cleared for another.")] = "",
    operator: _Operator = "console",
    wait: _Wait = 0,
) -> None:
    """Clear a cause's lock: relays are closed as their sites reconnect, unless something else holds them off."""
    from ledger.usecases.relays import clear_lock

    def cleared(ledger: "Ledger", supply: str) -> int:
        now = datetime.now(UTC)
        return clear_lock(
            ledger, supply=supply, reason=reason, operator=operator, cause=cause, approved_by=second, now=now
        )

    tell_each(supplies, cleared, "unlocked; it is switched on as its site reconnects", wait_s=wait)


def consent(
    supply: _Supply,
    channel: Annotated[str, typer.Option(help="How the consumer told so: counter, phone, app.")] = "counter",
) -> None:
    """Take a consumer's consent to being switched on; their relay is closed once, within a quarter of an hour."""
    from console.connection import opened_ledger
    from ledger.usecases.relays import consent_to_close

    with opened_ledger(os.environ) as ledger:
        position = consent_to_close(ledger, supply=supply, channel=channel, now=datetime.now(UTC))
    typer.echo(f"{supply}: consent taken (position {position}); `wattledger relays` shows the order")


def show_relays() -> None:
    """Show every supply's relay: what is wanted, what was read back, and which locks hold it open."""
    from rich.console import Console
    from rich.table import Table

    from console.connection import finance_connection
    from projections.queries import relay_states

    with finance_connection(os.environ) as connection:
        rows = relay_states(connection, now=datetime.now(UTC))
    table = Table("supply", "account", "wanted", "read back", "locks", "last order", "warned")
    for row in rows:
        order = f"{row.order_sequence} {row.order_outcome or 'under way'}" if row.order_sequence else ""
        table.add_row(
            row.supply,
            row.account or "",
            row.desired,
            _read_back(row),
            ", ".join(row.locks),
            order,
            "yes" if row.warned else "",
        )
    Console().print(table)


def _read_back(row: "RelayState") -> str:
    """A relay that no order ever switched is as its meter was installed, closed."""
    return "closed (as installed)" if row.actual == "unknown" and not row.order_sequence else row.actual


def show_held() -> None:
    """Show the readings that were held instead of billed, as `wattledger readings held` does."""
    from console.supplies.waiting_shown import show_holds

    show_holds(os.environ)
