"""Rate a quantity or a file of usage under a tariff file, or turn money into energy; no service is asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from console.tariffs.files import text_of
from console.tariffs.usage_csv import read_usage
from ledger.rating.bill import bill, counters_to_date, merged, quantity_usage
from ledger.rating.lines import Counters, Line
from ledger.rating.quote import Quoted, quote
from ledger.rating.rate import CompiledTariff, compile_tariff
from ledger.rating.tariff import parse_tariff
from ledger.rating.usage import Usage
from ledger.values.errors import InvalidValue

# A file has no version until it is published.
DRAFT = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a bill depends on beside the tariff and the usage: when, for whom, and what was used before.

    `days` is for quantities: the local days that they are used on; None for the one of `at`, 0 for no charge per day.
    """

    at: datetime
    account_class: str = ""
    month_to_date_milliwh: int = 0
    year_to_date_milliwh: int = 0
    contracted_kw: Decimal = Decimal(0)
    days: int | None = None
    closes_period: bool = False


@dataclass(frozen=True, slots=True)
class Bill:
    """Explained lines, and the currency that they are in."""

    lines: Sequence[Line]
    currency: str

    @property
    def total_micros(self) -> int:
        """The sum of the lines."""
        return sum(line.amount_micros for line in self.lines)

    @property
    def shown(self) -> list[Line]:
        """The lines less those that cancelled out to nothing."""
        return [line for line in self.lines if line.amount_micros or Decimal(line.quantity)]

    @property
    def components(self) -> dict[str, int]:
        """Micro-units per component, in the order of the lines."""
        totals: dict[str, int] = {}
        for line in self.lines:
            totals[line.component] = totals.get(line.component, 0) + line.amount_micros
        return totals


def compiled_file(file: Path, *, account_class: str = "") -> CompiledTariff:
    """Make a tariff file ready for rating; raises InvalidValue naming the file and every error in it."""
    return compiled_text(text_of(file), name=str(file), account_class=account_class)


def compiled_text(text: str, *, name: str, account_class: str = "") -> CompiledTariff:
    """Make a tariff's text ready for rating; raises InvalidValue naming its source and every error in it."""
    try:
        return compile_tariff(parse_tariff(text), version=DRAFT, account_class=account_class)
    except InvalidValue as error:
        raise InvalidValue(f"{name}: {error}") from None


def rated_quantity(compiled: CompiledTariff, quantity_milliwh: int, known: Circumstances) -> Bill:
    """Rate a quantity on top of what was used before: at one instant, or evenly over local days from it on."""
    usage = quantity_usage(compiled, quantity_milliwh, at=known.at)
    if known.days:
        first = compiled.days.slot_at(known.at).day
        start, end = (compiled.days.midnight(day) for day in (first, first + timedelta(days=known.days)))
        usage = replace(usage, start=start, end=end)
    return _bill(compiled, [usage], known)


def rated_file(compiled: CompiledTariff, file: Path, known: Circumstances) -> Bill:
    """Rate a CSV file of usage; raises UsageFileRefused naming every error in it."""
    calendar = compiled.tariff.calendar
    periods = frozenset(calendar.periods if calendar else ())
    usage = read_usage(text_of(file), name=str(file), known_periods=periods)
    return _bill(compiled, usage, known)


def quoted(compiled: CompiledTariff, amount_micros: int, known: Circumstances) -> Quoted:
    """Return the most watt-hours that an amount buys, its exact change, and the lines."""
    found = quote(compiled, _counters(compiled, known.at, known), amount_micros=amount_micros, at=known.at)
    return replace(found, lines=merged(found.lines, compiled))


def first_of_month(compiled: CompiledTariff, instant: datetime) -> datetime:
    """Return the local midnight with which the billing month of an instant begins."""
    return compiled.days.midnight(compiled.days.slot_at(instant).day.replace(day=1))


def _bill(compiled: CompiledTariff, usage: Sequence[Usage], known: Circumstances) -> Bill:
    rated = bill(
        compiled,
        usage,
        counters=_counters(compiled, min((row.start for row in usage), default=known.at), known),
        contracted_kw=known.contracted_kw,
        days=known.days != 0,
        closes_period=known.closes_period,
    )
    return Bill(rated.lines, compiled.tariff.currency)


def _counters(compiled: CompiledTariff, at: datetime, known: Circumstances) -> Counters:
    return counters_to_date(
        compiled,
        at=at,
        month_to_date_milliwh=known.month_to_date_milliwh,
        year_to_date_milliwh=known.year_to_date_milliwh,
    )
