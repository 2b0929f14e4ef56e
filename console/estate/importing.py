"""Setting up an estate from its file: everything is decided before anything is booked, a few hundred rows at once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from console.estate.csv_file import EstateRefused, EstateRow
from ledger.store.application import IntegrityError
from ledger.store.batched import BatchedLedger
from ledger.usecases.equip import equip
from ledger.values.errors import LedgerError, Refused
from ledger.values.identity import account_stream, site_stream, supply_stream, tariff_stream

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EstateOutcome:
    """How many supply points were set up, completed, or stood already."""

    rows: int
    changed: int

    @property
    def standing(self) -> int:
        """How many needed nothing."""
        return self.rows - self.changed


def plan(ledger: BatchedLedger, path: Path, rows: Sequence[EstateRow], *, now: datetime, progress: Progress) -> int:
    """Decide on every row, each seeing those before it, and return how many bring something new.

    Raises EstateRefused naming every row that the ledger refuses.
    """
    _preload(ledger, rows)
    errors: list[str] = []
    changed = 0
    for row in rows:
        try:
            with ledger.together() as unit:
                for _ in equip(ledger, row.point, now=now):
                    pass
            changed += bool(unit.events)
        except LedgerError as error:
            errors.append(f"line {row.line}: {error}")
        progress(1)
    if errors:
        raise EstateRefused(path, errors)
    return changed


def book(ledger: BatchedLedger, *, progress: Progress) -> None:
    """Book what was planned; raises Refused where someone else changed the same supply points meanwhile."""
    try:
        for count in ledger.commit():
            progress(count)
    except IntegrityError:
        raise Refused(
            "someone else changed one of these supply points, accounts or meters just now; import the file again:"
            " what is booked already is left as it is"
        ) from None


def _preload(ledger: BatchedLedger, rows: Sequence[EstateRow]) -> None:
    points = [row.point for row in rows]

    def streams() -> Iterator[UUID]:
        for point in points:
            yield from (supply_stream(point.supply), account_stream(point.account))
            yield from (site_stream(point.site), tariff_stream(point.tariff))

    ledger.preload(
        streams=dict.fromkeys(streams()),
        keys=[f"meter/{point.meter.serial}" for point in points],
    )
