"""For who wants to try payments without a provider."""

import os

import typer


def register(app: typer.Typer) -> None:
    """Add `sandbox-provider`."""
    app.command("sandbox-provider", rich_help_panel="Server roles")(sandbox_provider)


def sandbox_provider() -> None:
    """Stand in for a payment provider: charge test tokens, move no money, and tell by signed webhooks.

    Takes WATTLEDGER_WEBHOOK_SECRETS_SANDBOX, WATTLEDGER_SANDBOX_WEBHOOK_URL and WATTLEDGER_SANDBOX_PORT; see
    docs/payments.md. Never give a ledger with real accounts such a provider: whoever has its secret tops them up.
    """
    from console.sandbox.server import main

    raise typer.Exit(main(os.environ))
