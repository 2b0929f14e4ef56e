"""For operators: what is on and what is off, locks and consents, and the readings that were held."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from projections.queries import RelayState

_PANEL = "Operators"
_Supply = Annotated[str, typer.Argument(help="The supply point's code.")]
_Operator = Annotated[
    str,
    typer.Option(
        envvar="WATTLEDGER_OPERATOR", help="Who does it: an id, never a name; it is kept with the lock for good."
    ),
]


def register(app: typer.Typer) -> None:
    """Add `relays`, `lock`, `unlock`, `consent` and `held`."""
    for name, command in (
        ("relays", show_relays),
        ("lock", lock),
        ("unlock", unlock),
        ("consent", consent),
        ("held", show_held),
    ):
        app.command(name, rich_help_panel=_PANEL)(command)


def lock(
    supply: _Supply,
    reason: Annotated[str, typer.Option(help="Why, as a code such as works or safety-check; no personal data.")],
    operator: _Operator = "console",
) -> None:
    """Lock a supply point off: its relay is opened, and stays so until it is unlocked."""
    from console.connection import opened_ledger
    from ledger.usecases.relays import set_lock

    with opened_ledger(os.environ) as ledger:
        position = set_lock(ledger, supply=supply, reason=reason, operator=operator, now=datetime.now(UTC))
    typer.echo(f"{supply}: locked off for {reason} (position {position}); `wattledger relays` shows the order")


def unlock(
    supply: _Supply,
    reason: Annotated[str, typer.Option(help="Why, as a code.")] = "done",
    operator: _Operator = "console",
) -> None:
    """Clear an operator's lock: the relay is closed as its site reconnects, unless something else holds it off."""
    from console.connection import opened_ledger
    from ledger.usecases.relays import clear_lock

    with opened_ledger(os.environ) as ledger:
        position = clear_lock(ledger, supply=supply, reason=reason, operator=operator, now=datetime.now(UTC))
    typer.echo(f"{supply}: unlocked (position {position}); it is switched on as its site reconnects")


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
