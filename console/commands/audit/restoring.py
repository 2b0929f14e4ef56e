"""`audit accept-restore`: the operator's word on a database that is older than its witness."""

import getpass
import os
from datetime import UTC, datetime
from typing import Annotated

import typer


def register(group: typer.Typer) -> None:
    """Add `accept-restore`."""
    group.command("accept-restore")(accept)


def accept(
    reason: Annotated[str, typer.Option(help="Why; it is kept in the database and at the witness.")],
    operator: Annotated[str, typer.Option(help="Who says so; you, if not given.")] = "",
) -> None:
    """Go on with a database older than its witness, restored from a backup: the seals it lacks are given up.

    Run `wattledger audit verify` first. What was booked after the backup is gone from the ledger: collectors publish
    again what was not acknowledged to them, but top-ups since then must be booked again, with their keys.

    Settings: WATTLEDGER_DATABASE_URL (the sealer's), WATTLEDGER_WITNESS and WATTLEDGER_SEALING_KEY.
    """
    from console.audit.connecting import auditor_connection
    from ledger.integrity.keys import SealingKey
    from ledger.integrity.restoring import accept_restore
    from ledger.integrity.witness.opening import open_witness
    from ledger.values.environment import Environment

    environment = Environment(os.environ)
    environment.text("WATTLEDGER_DATABASE_URL", help_="postgresql://wattledger_sealer:password@host/database")
    witness = environment.text("WATTLEDGER_WITNESS", help_="the witness's address, as `seal` has it")
    key = environment.text("WATTLEDGER_SEALING_KEY", help_="the key that `seal` signs with")
    environment.check()
    with auditor_connection(os.environ, role="wattledger_sealer") as connection:
        accepted = accept_restore(
            connection,
            open_witness(witness),
            key=SealingKey(key),
            operator=operator or getpass.getuser(),
            reason=reason,
            now=datetime.now(UTC),
        )
    typer.echo(
        f"the ledger goes on after seal {accepted.after}, position {accepted.position};"
        f" {accepted.discarded_seals} seals up to position {accepted.discarded_to} are given up"
    )
