"""Importing an interval file: whose it is, by whom it is read, and what the ledger made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from collectors.file_import import ImportOutcome, publish_import
from collectors.nem12 import Nem12File, import_sweeps, parse_nem12
from collectors.settings import KafkaSettings
from console.connection import bootstrap_servers, finance_connection, opened_ledger
from console.import_booked import Booked, booked
from console.import_targets import ImportRefused, check_beginning, chosen_codes, interval_supply, meter_of
from console.progress import progress_bars
from ledger.domain.supply import Supply
from ledger.values.energy import kwh_from_milliwh
from ledger.values.environment import Environment

__all__ = ["ImportRefused", "ImportReport", "describe", "import_nem12"]


class Parse(Protocol):
    """Reads a file of intervals; `meters` maps a meter's name in it to its serial."""

    def __call__(self, path: Path, *, meters: Mapping[str, str] | None = None) -> Nem12File:
        """Raise BadFile naming every wrong line."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came of an import: per NMI its supply point and what the ledger booked."""

    file: Path
    parsed: Nem12File
    supplies: Mapping[str, str]
    outcome: ImportOutcome
    booked: Mapping[str, Booked]

    @property
    def held(self) -> int:
        """How many intervals the ledger holds instead of billing them."""
        return sum(each.held for each in self.booked.values())


async def import_nem12(
    environ: Mapping[str, str],
    *,
    file: Path,
    mapping: Mapping[str, str],
    timeout_s: float,
    parse: Parse = parse_nem12,
) -> ImportReport:
    """Publish a file's intervals, wait for the ledger, and count what it made of them.

    Raises ImportRefused where an NMI has no supply point that can be billed from the file's beginning, the
    collectors' errors for a malformed file or a ledger that does not answer.
    """
    unmapped = parse(file)
    codes = chosen_codes(file, nmis=unmapped.nmis, mapping=mapping)
    starts = {nmi: unmapped.readings[nmi][0].start for nmi in codes}
    with opened_ledger(environ) as ledger:
        supplies = {
            nmi: interval_supply(ledger, nmi=nmi, code=code, starts_at=starts[nmi]) for nmi, code in codes.items()
        }
        parsed = parse(file, meters={nmi: meter_of(supply) for nmi, supply in supplies.items()})
        sweeps = import_sweeps(parsed, concentrators={nmi: supply.concentrator for nmi, supply in supplies.items()})
        applied = _applied(environ, sweeps[0].collector)
        # What the ledger has already is not sent again: then there is nothing to refuse, only to tell.
        if any(sweep.sequence > applied.get(sweep.concentrator, 0) for sweep in sweeps):
            for nmi, supply in supplies.items():
                check_beginning(ledger, nmi=nmi, supply=supply, starts_at=starts[nmi])
    with progress_bars() as bars:
        task = bars.add_task("billing", total=len(sweeps))
        outcome = await publish_import(
            sweeps,
            kafka=_kafka(environ),
            timeout_s=timeout_s,
            already_applied=applied,
            progress=lambda left: bars.update(task, completed=len(sweeps) - left),
        )
    return ImportReport(file, parsed, codes, outcome, _booked(environ, supplies, parsed, outcome.collector))


def describe(report: ImportReport) -> str:
    """Say in words what an import did."""
    lines = [
        f"ignored {ignored.nmi} {ignored.suffix}: {ignored.intervals} intervals in {ignored.unit}, not import energy"
        for ignored in report.parsed.ignored
    ]
    for nmi, supply in report.supplies.items():
        readings = report.parsed.readings[nmi]
        kwh = kwh_from_milliwh(sum(reading.import_milliwh for reading in readings))
        lines.append(f"{nmi} → {supply}: {len(readings)} intervals, {kwh:f} kWh: {report.booked[nmi]}")
    before = report.outcome.intervals_already_applied
    if report.outcome.changed_nothing:
        lines.append(f"{report.file} was imported before: nothing changed")
    else:
        lines.append(f"{report.outcome.intervals - before} intervals taken in by the ledger, {before} were before")
    if report.held:
        lines.append(f"held, not billed: {report.held} intervals; projections.held_readings tells each one's reason")
    return "\n".join(lines)


def _applied(environ: Mapping[str, str], collector: str) -> dict[str, int]:
    """Return how far this import was applied before, per concentrator."""
    query = "SELECT concentrator, sequence FROM ledger.sweeps WHERE collector = %s"
    with finance_connection(environ) as connection:
        rows = connection.execute(query, (collector,)).fetchall()
    return {str(concentrator): int(str(sequence)) for concentrator, sequence in rows}


def _booked(
    environ: Mapping[str, str], supplies: Mapping[str, Supply], parsed: Nem12File, collector: str
) -> dict[str, Booked]:
    with finance_connection(environ) as connection:
        return {
            nmi: booked(
                connection,
                supply=supply.code,
                meter=meter_of(supply),
                collector=collector,
                intervals=len(parsed.readings[nmi]),
            )
            for nmi, supply in supplies.items()
        }


def _kafka(environ: Mapping[str, str]) -> KafkaSettings:
    environment = Environment(environ)
    kafka = KafkaSettings(
        bootstrap=bootstrap_servers(environ),
        idempotence=environment.flag("WATTLEDGER_KAFKA_IDEMPOTENCE", default=False),
    )
    environment.check()
    return kafka
