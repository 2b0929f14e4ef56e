"""`audit verify` and `audit keys`: is the ledger what was written, and who sealed it."""

import os
from pathlib import Path
from typing import Annotated

import typer


def register(group: typer.Typer) -> None:
    """Add `verify` and `keys`."""
    group.command("verify")(verify_ledger)
    group.command("keys")(list_keys)


def verify_ledger(
    first: Annotated[int, typer.Option("--from", min=1, help="The first position; its whole seal is verified.")] = 1,
    last: Annotated[int | None, typer.Option("--to", min=1, help="The last position; the newest without.")] = None,
    witness: Annotated[
        str, typer.Option(help="The witness, or a copy: a file, kafka://host:port/topic or https://host/path.")
    ] = "",
    public_keys: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The public keys that you trust, in hex, a line each."),
    ] = None,
    projections: Annotated[bool, typer.Option(help="Also rebuild every read model and compare digests.")] = True,
    fold: Annotated[
        str, typer.Option(help="Also fold kept counters of supply points again: how many of them, or `all`.")
    ] = "0",
) -> None:
    """Verify every seal, every stream's versions, every transaction's sum, and every read model's digest.

    Exit code 1 names the first broken position, what was expected there and what stands there, and how many events
    are affected.

    What is newer than the last seal (five seconds at most) is not yet tamper-evident. A tail that is deleted, or
    rewritten and signed again, together with its seals is caught by the witness alone: without --witness that of
    WATTLEDGER_WITNESS, or of the system that runs here, is asked.
    """
    from console.audit.verifying import Wanted, told, verified
    from console.connection import database_url, witness_of
    from ledger.integrity.keys import public_keys_from_text
    from ledger.integrity.witness.opening import open_existing
    from ledger.values.errors import InvalidValue

    if fold != "all" and not fold.isdecimal():
        raise InvalidValue(f"--fold {fold!r} is neither a number of supply points nor `all`")
    if last is not None and last < first:
        raise InvalidValue(f"--to {last} is before --from {first}")
    wanted = Wanted(
        first=first,
        last=last,
        witness=open_existing(witness) if witness else witness_of(os.environ),
        keys=public_keys_from_text(public_keys.read_text()) if public_keys else None,
        projections=projections,
        fold=-1 if fold == "all" else int(fold),
    )
    result = verified(database_url(os.environ, role="wattledger_auditor"), wanted)
    is_broken = result.findings.first is not None
    for line in told(result, wanted):
        typer.secho(line, fg=typer.colors.RED if is_broken and line.startswith("BROKEN") else None)
    raise typer.Exit(1 if is_broken else 0)


def list_keys() -> None:
    """Print the public keys that seals were signed with, the oldest first; keep them where the database cannot."""
    from console.audit.connecting import auditor_connection
    from ledger.integrity.kept import kept_keys

    with auditor_connection(os.environ) as connection:
        for key_id, key in kept_keys(connection).items():
            typer.echo(f"{key.hex()}  # {key_id}")
