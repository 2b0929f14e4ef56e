"""What time brings: standing charges, fixed charges and allowances of a local day, and the close of a period."""

from datetime import date
from fractions import Fraction

from msgspec.structs import replace

from ledger.rating.climbing import open_ladders
from ledger.rating.compiled import CompiledTariff, Vector, per_watt_day
from ledger.rating.components import BlockCharge, CapacityCharge, DailyCharge, Minimum
from ledger.rating.ladder import WHOLE, Part, month_of, share_of
from ledger.rating.lines import Counters, Rated
from ledger.rating.rate import begun
from ledger.rating.running import Running
from ledger.rating.words import Words, measured_words

_MICROS = 1_000_000


def is_daily(compiled: CompiledTariff, *, contracted_w: int = 0) -> bool:
    """Tell whether a local day brings anything by itself: a charge, an allowance, or a fee as its window opens."""
    return bool(compiled.allowances) or any(
        isinstance(thing, DailyCharge)
        or (isinstance(thing, CapacityCharge) and contracted_w > 0)
        or (isinstance(thing, BlockCharge) and thing.blocks[0].entry_fee > 0)
        for thing in compiled.components
    )


def rate_day(compiled: CompiledTariff, counters: Counters, *, day: date, contracted_w: int = 0) -> Rated:
    """Rate one whole local day: see `rate_days`."""
    return rate_days(compiled, counters, first=day, last=day, contracted_w=contracted_w)


def rate_days(
    compiled: CompiledTariff, counters: Counters, *, first: date, last: date, contracted_w: int = 0
) -> Rated:
    """Rate whole local days of one billing period: standing and fixed charges, and what allowances grant for them.

    `contracted_w` is the contracted power in watts. A day opens its billing period where nothing did before.
    """
    period = f"{first.year:04d}-{first.month:02d}"
    is_new = not counters.has_forgotten(period)
    running = begun(compiled, counters, period)
    charges = _charges_of_a_day(running, contracted_w)
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        before = list(running.charges) if compiled.allowances else []
        grown_from = running.denominator
        if is_new:
            open_ladders(running, at=compiled.days.midnight(day))
        _grant(running)
        for words, vector, units in charges:
            running.add(vector, units)
            running.write((words,), units)
        if compiled.allowances:
            finer = running.denominator // grown_from
            running.pay([charge * finer for charge in before])
    lines, after = running.closed()
    return Rated(lines, after)


def close_period(
    compiled: CompiledTariff, counters: Counters, *, part: Part = WHOLE, period: str | None = None
) -> Rated:
    """Charge what a billing period (the counters' own if None) is short of its minimums.

    `part` is what was lived in of it; the counters remember it, for closing again after later usage of the period
    charges the difference, which may be negative. A period whose exact state is no longer kept is left as it is.
    """
    period = counters.period if period is None else period
    if not period or not compiled.minimums or counters.has_forgotten(period):
        return Rated([], counters)
    running = begun(compiled, counters, period)
    for index, thing in compiled.minimums:
        wanted = _minimum(compiled, index, thing, period, part)
        short = max(wanted - running.total(thing.on), Fraction(0)) - running.total((thing.component,))
        if short:
            running.charge(index, short, measured_words(thing, index))
    lines, after = running.closed()
    return Rated(lines, replace(after, closed=after.closed | {period: (part.first, part.until)}))


def _grant(running: Running) -> None:
    for _, thing in running.compiled.allowances:
        carried = min(running.pool(thing.component), Fraction(thing.max_carried) * _MICROS)
        running.top_up(thing.component, carried + Fraction(thing.amount_per_day) * _MICROS)


def _minimum(compiled: CompiledTariff, index: int, thing: Minimum, period: str, part: Part) -> Fraction:
    first, last = month_of(period)
    share = share_of(compiled.tariff.proration.minimum, part, first, last)
    return Fraction(thing.amount) * _MICROS * compiled.net[index] * share


def _charges_of_a_day(running: Running, contracted_w: int) -> list[tuple[Words, Vector, int]]:
    """Return what each whole day charges: the words of its line, the vector of a unit, and the units."""
    found: list[tuple[Words, Vector, int]] = []
    for index, charge in enumerate(running.compiled.components):
        if isinstance(charge, DailyCharge):
            found.append((*_standing(running.compiled, index, charge), 1))
        elif isinstance(charge, CapacityCharge) and contracted_w:
            found.append((*_capacity(running.compiled, index, charge), contracted_w))
    return found


def _standing(compiled: CompiledTariff, index: int, charge: DailyCharge) -> tuple[Words, Vector]:
    rule = compiled.with_rule(index, "standing charge a day")
    words = Words(charge, index, unit="day", price=compiled.price(index, charge.price_per_day), rule=rule)
    return words, compiled.vector(index, Fraction(charge.price_per_day) * _MICROS)


def _capacity(compiled: CompiledTariff, index: int, charge: CapacityCharge) -> tuple[Words, Vector]:
    monthly = compiled.price(index, charge.price_per_kw_month)
    rule = compiled.with_rule(index, f"{monthly} per contracted kW and month × 12 / 365 a day")
    words = Words(charge, index, unit="kW·day", price=f"{monthly} × 12 / 365", rule=rule)
    return words, compiled.vector(index, per_watt_day(charge))
