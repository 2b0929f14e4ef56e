"""For who sets a system up: the schema, the topics, the keys, and whether a role is well."""

import os
from pathlib import Path
from typing import Annotated

import typer

_Partitions = Annotated[int, typer.Option(envvar="WATTLEDGER_PARTITIONS", min=1, help="Partitions of each topic.")]
_Replication = Annotated[int, typer.Option(envvar="WATTLEDGER_REPLICATION", min=1, help="Copies of each partition.")]
_RetentionDays = Annotated[
    int, typer.Option(envvar="WATTLEDGER_RETENTION_DAYS", min=1, help="How long Kafka keeps a message at least.")
]


def register(app: typer.Typer) -> None:
    """Add `migrate`, `topics`, `health` and the commands under `keys`."""
    for command in (migrate, topics, health):
        app.command(rich_help_panel="Setting up")(command)
    keys = typer.Typer(help="Keys that sign relay orders, and those that sign seals.", no_args_is_help=True)
    keys.command("new")(new_keys)
    keys.command("new-sealing")(new_sealing_key)
    keys.command("new-commissioning")(new_commissioning_key)
    keys.command("sign-site")(sign_site)
    app.add_typer(keys, name="keys", rich_help_panel="Setting up")


def migrate() -> None:
    """Bring the database up to date, connected as its owner, and set the roles' passwords that are given."""
    from console.database import MigrateSettings, migrate_database

    settings = MigrateSettings.from_environment(os.environ)
    names = migrate_database(url=settings.database_url, passwords=settings.passwords)
    typer.echo("\n".join(f"applied {name}" for name in names) or "the database is up to date")


def topics(partitions: _Partitions = 8, replication: _Replication = 1, retention_days: _RetentionDays = 14) -> None:
    """Create the Kafka topics that are missing, and check those that are there."""
    from console.topics import TopicLayout, bootstrap_from, create_topics

    layout = TopicLayout(partitions=partitions, replication=replication, retention_days=retention_days)
    names = create_topics(bootstrap=bootstrap_from(os.environ), layout=layout)
    typer.echo("\n".join(f"created {name}" for name in names) or "every topic is there")


def health(
    port: Annotated[int, typer.Option(envvar="WATTLEDGER_METRICS_PORT", help="Where the role serves /health.")],
    host: Annotated[str, typer.Option(help="The host it runs on.")] = "127.0.0.1",
) -> None:
    """Ask a role whether it is well; exit code 1 when it is not."""
    from console.probe import probed

    outcome = probed(host=host, port=port)
    typer.echo(outcome.text)
    raise typer.Exit(0 if outcome.is_well else 1)


def new_keys() -> None:
    """Make a key pair: the private key is for `control` alone, the public key for every collector."""
    from ledger.values.signing import OrderSigner, new_signing_key_hex

    key = new_signing_key_hex()
    typer.echo(f"WATTLEDGER_SIGNING_KEY={key}")
    typer.echo(f"WATTLEDGER_ORDER_PUBLIC_KEY={OrderSigner(key).public_key_hex}")


def sign_site(
    site: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="The site file, as the collector is to have it.")
    ],
    key: Annotated[
        str,
        typer.Option(
            envvar="WATTLEDGER_SIGNING_KEY", show_envvar=True, help="The key that signs relay orders, in hex."
        ),
    ],
) -> None:
    """Sign a site file, so that nobody beside the meters takes a supply's protection off unseen.

    The signature is written beside it (site.toml.sig); give both to the collector. It refuses a file whose signature
    is not over these very bytes, and with WATTLEDGER_SITE_SIGNED=true one without. Sign again after each change.
    """
    from collectors.signed_site import signature_file
    from collectors.site import read_site
    from ledger.values.signing import OrderSigner

    read = read_site(site)
    written = signature_file(site)
    written.write_text(OrderSigner(key).file_signature(site.read_bytes()) + "\n", encoding="ascii")
    meters = [meter for concentrator in read.concentrators for meter in concentrator.meters]
    protected = sum(meter.protected for meter in meters)
    typer.echo(f"{written}: {len(meters)} meters, {protected} of them protected")


def new_sealing_key() -> None:
    """Make a key pair for seals: the private key is for `seal` alone, the public one for every auditor.

    To change keys, give `seal` the new one and start it again: seals signed before stay good, for the ledger keeps
    every public key, and so should auditors (`wattledger audit keys` prints them).
    """
    from ledger.integrity.keys import SealingKey
    from ledger.values.signing import new_signing_key_hex

    key = new_signing_key_hex()
    typer.echo(f"WATTLEDGER_SEALING_KEY={key}")
    typer.echo(f"WATTLEDGER_SEALING_PUBLIC_KEY={SealingKey(key).public_key.hex()}")


def new_commissioning_key() -> None:
    """Make a key pair for records of commissionings: a private key for each edge, public ones for the office."""
    from ledger.values.commissioning import commissioning_public_key_hex
    from ledger.values.signing import new_signing_key_hex

    key = new_signing_key_hex()
    typer.echo(f"WATTLEDGER_COMMISSIONING_KEY={key}")
    typer.echo(f"WATTLEDGER_COMMISSIONING_PUBLIC_KEYS={commissioning_public_key_hex(key)}")
