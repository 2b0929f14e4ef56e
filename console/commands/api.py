"""For who connects programs: API keys, and the API's document."""

import os
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add `api-keys` and `openapi`."""
    keys = typer.Typer(help="Keys that programs reach the HTTP API with.", no_args_is_help=True)
    keys.command("create")(create)
    keys.command("list")(show)
    keys.command("revoke")(revoke)
    app.add_typer(keys, name="api-keys", rich_help_panel="HTTP API")
    app.command("openapi", rich_help_panel="HTTP API")(openapi)


def create(
    name: Annotated[str, typer.Argument(help="What the key is for: kiosk-lobby")],
    scope: Annotated[list[str], typer.Option(help="kiosk, payment-provider, finance, operator or auditor.")],
    operator: Annotated[str, typer.Option(help="Who makes it, as an opaque id.")],
    requests_per_minute: Annotated[int, typer.Option(help="How often it may ask.")] = 600,
    agent: Annotated[str, typer.Option(help="Whose key it is: what it tops up is that agent's sale.")] = "",
) -> None:
    """Make a key and print it, once: only its hash is kept.

    wattledger api-keys create kiosk-lobby --scope kiosk --operator op-7
    """
    from console.api.keys import create_key
    from console.connection import opened_ledger, writer_connection
    from ledger.usecases.money.agents import agent_state

    if agent:
        with opened_ledger(os.environ) as ledger:
            agent_state(ledger, agent)
    with writer_connection(os.environ) as connection:
        text = create_key(
            connection,
            name=name,
            scopes=scope,
            requests_per_minute=requests_per_minute,
            operator=operator,
            agent=agent,
        )
    typer.echo(text)


def show() -> None:
    """List all keys, newest first, without their secrets."""
    from rich.console import Console
    from rich.table import Table

    from console.api.keys import all_keys
    from console.connection import writer_connection

    with writer_connection(os.environ) as connection:
        keys = all_keys(connection)
    table = Table("id", "name", "scopes", "agent", "a minute", "made by", "made", "revoked")
    for key in keys:
        made, revoked = (
            f"{key.created_at:%Y-%m-%d %H:%M}",
            f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "",
        )
        scopes = ", ".join(key.scopes)
        table.add_row(
            key.id, key.name, scopes, key.agent, str(key.requests_per_minute), key.created_by, made, revoked
        )
    Console().print(table)


def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `api-keys list` shows it.")],
    operator: Annotated[str, typer.Option(help="Who revokes it, as an opaque id.")],
) -> None:
    """Revoke a key for good; it opens nothing from then on (within five seconds)."""
    from console.api.keys import revoke_key
    from console.connection import writer_connection

    with writer_connection(os.environ) as connection:
        revoke_key(connection, key_id=key_id, operator=operator)
    typer.echo(f"{key_id}: revoked")


def openapi() -> None:
    """Print the API's OpenAPI document as JSON; no service runs."""
    import json

    from console.api.app import make_app

    typer.echo(json.dumps(make_app(None).openapi(), indent=2, ensure_ascii=False))
