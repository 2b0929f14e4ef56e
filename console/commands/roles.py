"""For who deploys: the server's long-running roles, each one process that takes its settings from the environment."""

import os

import typer


def register(app: typer.Typer) -> None:
    """Add `price`, `project`, `control` and `serve`."""
    for command in (price, project, control, serve):
        app.command(rich_help_panel="Server roles")(command)


def price() -> None:
    """Price readings as they arrive on Kafka and append the debits (the Faust worker)."""
    from streams.worker import main

    raise typer.Exit(main(os.environ))


def project() -> None:
    """Keep the read models up to date with the ledger."""
    from projections.runner import main

    raise typer.Exit(main(os.environ))


def control() -> None:
    """Decide on relays and sign the orders that switch them."""
    from projections.control import main

    raise typer.Exit(main(os.environ))


def serve() -> None:
    """Serve the ledger's health and metrics over HTTP."""
    from console.serving import main

    raise typer.Exit(main(os.environ))
