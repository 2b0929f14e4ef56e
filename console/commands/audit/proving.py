"""`audit prove` and `audit check-proof`: one event's place in the ledger, for who has no access to it."""

import os
from pathlib import Path
from typing import Annotated

import typer


def register(group: typer.Typer) -> None:
    """Add `prove` and `check-proof`."""
    group.command("prove")(prove_event)
    group.command("check-proof")(check_proof_file)


def prove_event(
    event: Annotated[int, typer.Argument(min=1, help="The event's position in the ledger.")],
    out: Annotated[Path | None, typer.Option(help="Write the proof here; printed without.")] = None,
) -> None:
    """Write a proof that an event is in the ledger, under a signed seal: whoever has the public key can check it.

    The proof holds the event itself, and hashes of its neighbours, but nothing of what they say.
    """
    from console.audit.connecting import auditor_connection
    from console.errors import ConsoleError
    from ledger.integrity.proof import proof_text
    from ledger.integrity.proving import prove

    with auditor_connection(os.environ) as connection:
        proof = prove(connection, event)
    if out is None:
        typer.echo(proof_text(proof), nl=False)
        return
    try:
        out.write_text(proof_text(proof))
    except OSError as error:
        raise ConsoleError(f"{out} cannot be written: {error}") from error
    typer.echo(
        f"{out}: event {event} under seal {proof.seal.number}, {len(proof.path)} hashes on its way to the root"
    )


def check_proof_file(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="What `audit prove` wrote, or a statement's or receipt's JSON."
        ),
    ],
    public_key: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="A file with the sealer's public keys in hex, a line each."),
    ],
) -> None:
    """Check a proof offline, with the public key alone; exit code 1 when it does not hold."""
    import json

    from ledger.integrity.keys import public_keys_from_text
    from ledger.integrity.proof import ProofFails, check_proof, proof_from_text

    proof = proof_from_text(file.read_text(errors="replace"))
    try:
        check_proof(proof, keys=public_keys_from_text(public_key.read_text()))
    except ProofFails as error:
        typer.secho(f"the proof does not hold: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from None
    seal = proof.seal
    typer.echo(
        f"proved: position {proof.position} of the ledger that key {seal.key_id} sealed (seal {seal.number},"
        f" {seal.sealed_at.isoformat()}) is version {proof.version} of stream {proof.stream}, {proof.topic}:"
    )
    typer.echo(json.dumps(proof.fact, indent=2, ensure_ascii=False))
