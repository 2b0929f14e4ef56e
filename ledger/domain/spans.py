"""Rating the usage of a span by the tariff versions in force over it: for live readings and for deriving again."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from ledger.domain.judging import Bad
from ledger.domain.snapshot import Price
from ledger.rating.lines import Counters, Line, Rated
from ledger.rating.quantities import NO_QUANTITIES, Quantities, Span, Version, segment_span, told, unknown_periods
from ledger.rating.rate import CompiledTariff, rate
from ledger.rating.segment import period_of, segment
from ledger.rating.usage import interval_demand_w

_MICROSECOND = timedelta(microseconds=1)
_NOTHING: frozenset[str] = frozenset()


def needs_between(prices: Sequence[Price], start: datetime, end: datetime) -> frozenset[str]:
    """Return the units other than kWh that are priced at any time in a span."""
    if prices and prices[-1].starts <= start:
        newest = prices[-1].tariff
        return _NOTHING if newest is None else newest.needs
    return _NOTHING.union(*(version.tariff.needs for version in versions_between(prices, start, end) or ()))


def versions_between(prices: Sequence[Price], start: datetime, end: datetime) -> list[Version] | None:
    """Return the versions in force over a span, ascending; None where none is for some of it."""
    first = bisect_right(prices, start, key=lambda price: price.starts) - 1
    if first < 0:
        return None
    last = max(bisect_left(prices, end, key=lambda price: price.starts), first + 1)
    versions = [Version(price.starts, price.tariff) for price in prices[first:last] if price.tariff is not None]
    return versions if len(versions) == last - first else None


def periods_between(prices: Sequence[Price], names: Iterable[str], start: datetime, end: datetime) -> set[str]:
    """Return those of some billing periods that usage of a span lies in."""
    found: set[str] = set()
    versions = versions_between(prices, start, end) or []
    for number, version in enumerate(versions):
        until = versions[number + 1].starts if number + 1 < len(versions) else end
        zone = version.tariff.days.zone
        begins = period_of(max(start, version.starts), zone)
        ends = max(period_of(until - _MICROSECOND, zone), begins)
        found |= {name for name in names if begins <= name <= ends}
    return found


def shown_demand_w(prices: Sequence[Price], start: datetime, end: datetime, energy_milliwh: int) -> int | None:
    """Return the demand that an interval shows, aligned as a demand charge in force asks; else None."""
    for version in versions_between(prices, start, end) or ():
        shown = interval_demand_w(version.tariff, start=start, end=end, energy_milliwh=energy_milliwh)
        if shown is not None:
            return shown
    return None


def span_of(
    start: datetime, end: datetime, energy_milliwh: int, quantities: Quantities | None, *, is_part: bool = False
) -> Span:
    """Return a span as it is rated."""
    return Span(start, end, energy_milliwh, quantities or NO_QUANTITIES, is_part)


def rated_plain(
    tariff: CompiledTariff, counters: Counters, start: datetime, end: datetime, energy_milliwh: int
) -> Rated:
    """Rate a span of energy under one version that prices nothing else: the way of nearly every reading."""
    days = tariff.days
    atoms = segment(start=start, end=end, energy_milliwh=energy_milliwh, zone=days.zone, days=days)
    rated = rate(tariff, counters, atoms)
    if len(atoms) == 1:
        return rated
    numbered, only = [(0, atom) for atom in atoms], [Version(start, tariff)]
    return Rated(told(rated.lines, numbered, only, Span(start, end, energy_milliwh)), rated.counters)


def plain_tariff(prices: Sequence[Price], start: datetime) -> CompiledTariff | None:
    """Return the one version that prices all usage from an instant on, in kWh only; None where it is not so plain."""
    if not prices or prices[-1].starts > start:
        return None
    newest = prices[-1].tariff
    return None if newest is None or newest.needs else newest


def rated_span(prices: Sequence[Price], counters: Counters, span: Span, *, supply: str) -> Rated | Bad:
    """Rate a span; bad where no tariff is in force for some of it, or one does not know the registers' periods."""
    versions = versions_between(prices, span.start, span.end)
    if versions is None:
        return Bad("no-terms", f"{supply} has no tariff in force for all of this time", span.energy_milliwh)
    unknown = unknown_periods(versions, span.quantities)
    if unknown:
        detail = f"the tariff does not know the registers' periods {', '.join(map(repr, unknown))}; map or name them"
        return Bad("unknown-period", detail, span.energy_milliwh)
    return _rated(versions, counters, span)


def _rated(versions: Sequence[Version], counters: Counters, span: Span) -> Rated:
    lines: list[Line] = []
    numbered = segment_span(versions, span)
    for number, group in groupby(numbered, key=lambda pair: pair[0]):
        rated = rate(versions[number].tariff, counters, [atom for _, atom in group])
        lines += rated.lines
        counters = rated.counters
    return Rated(told(lines, numbered, versions, span), counters)
