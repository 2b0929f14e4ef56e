"""For who deploys: the server's long-running roles, each one process that takes its settings from the environment."""

import os

import typer


def register(app: typer.Typer) -> None:
    """Add `price`, `project`, `control`, `calendar`, `seal`, `serve` and `payments`."""
    for command in (price, project, control, calendar, seal, serve, payments):
        app.command(rich_help_panel="Server roles")(command)


def price() -> None:
    """Price readings as they arrive on Kafka and append the debits (the Faust worker)."""
    from streams.worker import main

    _check_witness()
    raise typer.Exit(main(os.environ))


def project() -> None:
    """Keep the read models up to date with the ledger."""
    from projections.runner import main

    _check_witness()
    raise typer.Exit(main(os.environ))


def control() -> None:
    """Decide on relays and sign the orders that switch them."""
    from projections.control import main

    _check_witness()
    raise typer.Exit(main(os.environ))


def seal() -> None:
    """Seal events in order under signed Merkle roots, in the database and at a witness outside it.

    What is newer than the last seal (five seconds at most) is not yet tamper-evident, and a tail that is deleted
    together with its seals is caught by the witness alone: keep it where who runs the database cannot write.

    Settings: WATTLEDGER_DATABASE_URL (the sealer's), WATTLEDGER_SEALING_KEY, WATTLEDGER_WITNESS (a file's path,
    kafka://host:port/topic or https://host/path), WATTLEDGER_SEAL_EVERY_S (2).
    """
    from console.sealing import main

    raise typer.Exit(main(os.environ))


def calendar() -> None:
    """Announce each local date that has ended, so that standing charges, allowances and minimums fall due.

    And work through credit's days: instalments on debt, charges that accrue while off, reviews of protected supplies.
    WATTLEDGER_CALENDAR_DELAY_S after midnight (5), again until applied every WATTLEDGER_CALENDAR_RESEND_S (20).
    WATTLEDGER_CALENDAR_CLOCK_OFFSET_S sets its clock forward or back: for rehearsals and tests only.
    """
    from functools import partial

    from console.credit_days import keep_credit_days
    from streams.calendar import main

    _check_witness()
    raise typer.Exit(main(os.environ, beside=partial(keep_credit_days, os.environ)))


def serve() -> None:
    """Serve the HTTP API, payment providers' webhooks, and the ledger's health and metrics.

    Providers are set up by WATTLEDGER_WEBHOOK_SECRETS_<NAME>, with WATTLEDGER_REFERENCE_KEY: docs/payments.md.
    """
    from console.serving import main

    _check_witness()
    raise typer.Exit(main(os.environ))


def payments() -> None:
    """Book what payment providers told by webhook, once each, in whatever order it came."""
    from console.payments.running import main

    _check_witness()
    raise typer.Exit(main(os.environ))


def _check_witness() -> None:
    """Start nothing on a database older than its witness; see `wattledger audit accept-restore`."""
    from console.witnessing import check_against_witness

    check_against_witness(os.environ)
