"""For operators: how far each Kafka partition is applied, and the way out where its log is not the one applied."""

import asyncio
import getpass
import os
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add `positions list` and `positions resolve`."""
    group = typer.Typer(help="How far the ledger has applied each Kafka partition.", no_args_is_help=True)
    group.command("list")(list_positions)
    group.command("resolve")(resolve)
    app.add_typer(group, name="positions", rich_help_panel="Setting up")


def list_positions() -> None:
    """Show every partition's position, and those that an operator has set."""
    from rich.console import Console
    from rich.table import Table

    from streams.positions import list_positions as listed

    table = Table("cluster", "topic", "partition", "position", "compared", "set by hand")
    for row in listed(_setting("WATTLEDGER_DATABASE_URL", "postgresql://wattledger_writer@host/database")):
        by_hand = (
            "" if row.resolved_at is None else f"{row.resolved_at:%Y-%m-%d %H:%M} {row.resolved_by}: {row.reason}"
        )
        table.add_row(
            row.cluster, row.topic, str(row.partition), str(row.position), "yes" if row.has_digest else "no", by_hand
        )
    Console().print(table)


def resolve(
    topic: Annotated[str, typer.Argument(help="The topic, as the worker's message names it.")],
    partition: Annotated[int, typer.Argument(min=0, help="The partition's number.")],
    at: Annotated[int, typer.Option(help="The offset that counts as applied; -1 to read from the beginning.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the position.")],
    cluster: Annotated[str, typer.Option(help="The cluster's id; the broker is asked without.")] = "",
) -> None:
    """Go on after an offset where a partition's log is not the one that was applied.

    Stop every `price` worker first. Sweeps that are read again are not billed again: each is numbered, and the ledger
    takes each number once. Sweeps left out are billed all the same, for their collectors publish again what was never
    acknowledged.

    Settings: WATTLEDGER_DATABASE_URL (the writer's) and WATTLEDGER_KAFKA_BOOTSTRAP are needed.
    """
    from ledger.store.applied import Partition
    from streams.assignment import cluster_id
    from streams.positions import resolve_position

    url = _setting("WATTLEDGER_DATABASE_URL", "postgresql://wattledger_writer@host/database")
    bootstrap = _setting("WATTLEDGER_KAFKA_BOOTSTRAP", "host:port[,host:port]")
    named = cluster or os.environ.get("WATTLEDGER_KAFKA_CLUSTER") or asyncio.run(cluster_id(bootstrap))
    applied = asyncio.run(
        resolve_position(
            url=url,
            bootstrap=bootstrap,
            partition=Partition(named, topic, partition),
            at=at,
            reason=reason,
            resolved_by=getpass.getuser(),
        )
    )
    compared = "its message is compared at the next start" if applied.digest else "no message there to compare with"
    typer.echo(f"{topic}/{partition} of cluster {named} goes on after offset {applied.offset}; {compared}")


def _setting(name: str, meaning: str) -> str:
    from ledger.values.environment import Environment

    environment = Environment(os.environ)
    value = environment.text(name, help_=meaning)
    environment.check()
    return value
