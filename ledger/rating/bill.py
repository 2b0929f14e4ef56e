"""A bill of usage outside the ledger: for `tariff rate`, simulation and tests."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import groupby

from ledger.rating.compiled import CompiledTariff
from ledger.rating.daily import close_period, rate_day
from ledger.rating.lines import FRESH, Atom, Counters, Line, Rated
from ledger.rating.quantities import Numbered, Quantities, Span, Version, told
from ledger.rating.rate import rate
from ledger.rating.usage import Usage, segment_usages
from ledger.values.decimals import decimal_from_text
from ledger.values.errors import InvalidValue
from ledger.values.instants import in_utc


def bill(
    compiled: CompiledTariff,
    usage: Sequence[Usage],
    *,
    counters: Counters = FRESH,
    contracted_kw: Decimal = Decimal(0),
    days: bool = True,
    closes_period: bool = False,
) -> Rated:
    """Rate usage in the order of time; lines alike are summed, and those apportioned by time say so.

    With `days`, every local day that usage touches also brings its time charges and allowances, before its usage.
    With `closes_period`, minimums fall due as each billing period ends, the last one included. Raises InvalidValue.
    """
    contracted_w = watts(contracted_kw)
    lines: list[Line] = []
    seen: set[date] = set()
    numbered = segment_usages(compiled, usage)
    telling = _Telling(compiled, usage, numbered)
    for (day, number), group in groupby(numbered, key=lambda row: (_local_day(compiled, row[1]), row[0])):
        of_day = [atom for _, atom in group]
        if closes_period and counters.period and counters.period != of_day[0].period:
            lines, counters = _added(lines, close_period(compiled, counters))
        if days and day not in seen:
            seen.add(day)
            lines, counters = _added(lines, rate_day(compiled, counters, day=day, contracted_w=contracted_w))
        rated = rate(compiled, counters, of_day)
        lines, counters = _added(lines, Rated(telling.told(number, rated.lines), rated.counters))
    if closes_period:
        lines, counters = _added(lines, close_period(compiled, counters))
    return Rated(merged(lines, compiled), counters)


class _Telling:
    """Tells of lines whether the usage that they are of was apportioned, as the lines of live debits do."""

    def __init__(self, compiled: CompiledTariff, usage: Sequence[Usage], numbered: Sequence[Numbered]) -> None:
        self.versions = [Version(datetime.min.replace(tzinfo=UTC), compiled)]
        self.spans = [_span(one) for one in usage]
        self.atoms: list[list[Numbered]] = [[] for _ in usage]
        for number, atom in numbered:
            self.atoms[number].append((0, atom))

    def told(self, number: int, lines: list[Line]) -> list[Line]:
        """Return the lines of some of a usage's atoms with their rules saying so where all of it was cut by time."""
        return told(lines, self.atoms[number], self.versions, self.spans[number])


def _span(usage: Usage) -> Span:
    periods = {usage.period: usage.import_milliwh} if usage.period else {}
    return Span(usage.start, usage.end, usage.import_milliwh, Quantities(periods=periods))


def quantity_usage(compiled: CompiledTariff, quantity_milliwh: int, *, at: datetime) -> Usage:
    """Return a bare quantity, used at one instant in the period that holds there."""
    slot = compiled.days.slot_at(in_utc(at))
    return Usage(at, at, quantity_milliwh, slot.time_of_use)


def counters_to_date(
    compiled: CompiledTariff, *, at: datetime, month_to_date_milliwh: int = 0, year_to_date_milliwh: int = 0
) -> Counters:
    """Return the counters as they stand at an instant when so much was used in its month and its year so far.

    The year holds at least what the month does. What is not 0 counts as opened: its first block's fee was charged.
    """
    instant = in_utc(at)
    slot = compiled.days.slot_at(instant)
    before = max(year_to_date_milliwh - month_to_date_milliwh, 0)
    years = {ladder.year_key(slot.day): before for ladder in compiled.ladders if ladder.window == "year" and before}
    counters = Counters(period=slot.period, years=years, tariff=compiled.identity)
    if not month_to_date_milliwh:
        return counters
    atom = Atom(instant, instant, month_to_date_milliwh, slot.period, slot.time_of_use)
    return rate(compiled, counters, [atom]).counters


def watts(contracted_kw: Decimal) -> int:
    """Return contracted power in whole watts; raises InvalidValue for a negative or finer one."""
    try:
        contracted_w = contracted_kw * 1000
        is_whole = contracted_w.is_finite() and contracted_w == contracted_w.to_integral_value()
    except InvalidOperation:
        is_whole = False
    if not is_whole or contracted_kw < 0:
        raise InvalidValue(f"contracted power {contracted_kw} kW must be 0 or more, in whole watts; as in 5.5")
    return int(contracted_w)


def watts_from_text(contracted_kw: str) -> int:
    """Return contracted power, a decimal text in kilowatts, in whole watts; raises InvalidValue."""
    return watts(decimal_from_text(contracted_kw, what="contracted power"))


def merged(lines: Iterable[Line], compiled: CompiledTariff) -> list[Line]:
    """Sum lines that differ in nothing but quantity and amount, in the order of the tariff's components."""
    totals: dict[tuple[object, ...], tuple[Line, Decimal, int]] = {}
    for line in lines:
        key = (line.component, line.unit, line.price, line.rule, line.block, line.time_of_use, line.version)
        first, quantity, amount = totals.get(key, (line, Decimal(0), 0))
        totals[key] = (first, quantity + Decimal(line.quantity), amount + line.amount_micros)
    order = {name: number for number, name in enumerate(compiled.names)}
    summed = [
        Line(
            first.component,
            str(quantity),
            first.unit,
            first.price,
            amount,
            first.tariff,
            first.version,
            first.tax,
            first.rule,
            first.block,
            first.time_of_use,
            first.allowance,
            first.at_payment,
        )
        for first, quantity, amount in totals.values()
    ]
    return sorted(summed, key=lambda line: order.get(line.component, len(order)))


def _added(lines: list[Line], rated: Rated) -> tuple[list[Line], Counters]:
    lines.extend(rated.lines)
    return lines, rated.counters


def _local_day(compiled: CompiledTariff, atom: Atom) -> date:
    return compiled.days.slot_at(atom.start).day
