"""Importing an interval file: whose it is, by whom it is read, and what the ledger made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection

from collectors.file_import import ImportOutcome, publish_import
from collectors.nem12 import Nem12File, import_sweeps, parse_nem12
from collectors.settings import KafkaSettings
from console.connection import bootstrap_servers, finance_connection, opened_ledger
from console.errors import ConsoleError
from ledger.domain import supply as supply_stream_of
from ledger.domain.supply import Supply
from ledger.store.application import Ledger
from ledger.values.energy import kwh_from_milliwh
from ledger.values.environment import Environment
from ledger.values.identity import supply_stream


class ImportRefused(ConsoleError):
    """A file cannot be imported as asked; nothing was published."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came of an import."""

    file: Path
    parsed: Nem12File
    supplies: Mapping[str, str]
    outcome: ImportOutcome


async def import_nem12(
    environ: Mapping[str, str], *, file: Path, mapping: Mapping[str, str], timeout_s: float
) -> ImportReport:
    """Publish a file's intervals and wait for the ledger.

    Raises ImportRefused where an NMI has no supply point to bill to, the collectors' errors for a malformed file or a
    ledger that does not answer.
    """
    nmis = parse_nem12(file).nmis
    if not nmis:
        raise ImportRefused(f"{file} has no import-energy channel (E); there is nothing to bill")
    chosen = {nmi: mapping.get(nmi, nmi) for nmi in nmis if not mapping or nmi in mapping}
    unknown = sorted(set(mapping) - set(nmis))
    if unknown:
        raise ImportRefused(f"{file} has no import energy for NMI {', '.join(unknown)}; it has {', '.join(nmis)}")
    with opened_ledger(environ) as ledger:
        supplies = {nmi: _supply(ledger, nmi, code) for nmi, code in chosen.items()}
    parsed = parse_nem12(file, meters={nmi: _meter(nmi, supply) for nmi, supply in supplies.items()})
    sweeps = import_sweeps(parsed, concentrators={nmi: supply.concentrator for nmi, supply in supplies.items()})
    with finance_connection(environ) as connection:
        applied = _applied(connection, sweeps[0].collector)
    environment = Environment(environ)
    kafka = KafkaSettings(
        bootstrap=bootstrap_servers(environ),
        idempotence=environment.flag("WATTLEDGER_KAFKA_IDEMPOTENCE", default=False),
    )
    environment.check()
    outcome = await publish_import(sweeps, kafka=kafka, timeout_s=timeout_s, already_applied=applied)
    return ImportReport(file, parsed, chosen, outcome)


def describe(report: ImportReport) -> str:
    """Say in words what an import did."""
    lines = [
        f"ignored {ignored.nmi} {ignored.suffix}: {ignored.intervals} intervals in {ignored.unit}, not import energy"
        for ignored in report.parsed.ignored
    ]
    for nmi, supply in report.supplies.items():
        readings = report.parsed.readings[nmi]
        kwh = kwh_from_milliwh(sum(reading.import_milliwh for reading in readings))
        lines.append(f"{nmi} → {supply}: {len(readings)} intervals, {kwh:f} kWh")
    new = report.outcome.intervals - report.outcome.intervals_already_applied
    if report.outcome.changed_nothing:
        lines.append(f"{report.file} was imported before: nothing changed")
    else:
        lines.append(
            f"{new} intervals committed by the ledger, {report.outcome.intervals_already_applied} were before"
        )
    return "\n".join(lines)


def _supply(ledger: Ledger, nmi: str, code: str) -> Supply:
    supply: Supply | None = ledger.folded(supply_stream(code), supply_stream_of.evolve, None)[0]
    if supply is None:
        raise ImportRefused(f"NMI {nmi}: there is no supply point {code!r}; name its own with --map {nmi}=SUPPLY")
    if supply.meter is None or supply.meter.measures != "interval":
        raise ImportRefused(
            f"NMI {nmi}: supply point {code!r} has no interval meter; add one with"
            f" `wattledger supply add {code} --profile nem12 --meter {nmi} ...`"
        )
    return supply


def _meter(nmi: str, supply: Supply) -> str:
    if supply.meter is None:
        raise AssertionError(f"supply of {nmi} was checked for its meter")
    return supply.meter.meter


def _applied(connection: Connection[tuple[object, ...]], collector: str) -> dict[str, int]:
    """Return how far this import was applied before, per concentrator."""
    rows = connection.execute("SELECT concentrator, sequence FROM ledger.sweeps WHERE collector = %s", (collector,))
    return {str(concentrator): int(str(sequence)) for concentrator, sequence in rows}
