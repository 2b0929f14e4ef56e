"""`notify`: telling people what happens to their account."""

import os

import typer


def register(app: typer.Typer) -> None:
    """Add `notify`."""
    app.command("notify", rich_help_panel="Roles")(notify)


def notify() -> None:
    """Tell people by e-mail, SMS, chat or webhook, in their language, once per event, until Ctrl-C.

    WATTLEDGER_NOTIFY_EMAIL, _SMS and _CHAT are apprise URLs with {to} for the address. What was told stands in
    notices.told. Begins with what happens from its first start on. All of it: docs/messages.md.
    """
    from console.notices.running import main

    raise typer.Exit(main(os.environ))
