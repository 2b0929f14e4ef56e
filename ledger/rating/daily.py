"""What time brings: standing charges, fixed charges and allowances of a local day, and the close of a period."""

from datetime import date
from fractions import Fraction

from ledger.rating.climbing import open_ladders
from ledger.rating.compiled import CompiledTariff, per_watt_day
from ledger.rating.components import CapacityCharge, DailyCharge, Minimum
from ledger.rating.ladder import WHOLE, Part, month_of, share_of
from ledger.rating.lines import Counters, Rated
from ledger.rating.rate import begun
from ledger.rating.running import Running
from ledger.rating.words import Words, measured_words

_MICROS = 1_000_000


def rate_day(compiled: CompiledTariff, counters: Counters, *, day: date, contracted_w: int = 0) -> Rated:
    """Rate one whole local day: its standing and fixed charges, and what allowances grant for it.

    `contracted_w` is the contracted power in watts. The day opens its billing period where nothing did before.
    """
    running = begun(compiled, counters, f"{day.year:04d}-{day.month:02d}")
    before = list(running.charges)
    open_ladders(running, at=compiled.days.midnight(day))
    for _, thing in compiled.allowances:
        carried = min(running.pool(thing.component), Fraction(thing.max_carried) * _MICROS)
        running.top_up(thing.component, carried + Fraction(thing.amount_per_day) * _MICROS)
    for index, charge in enumerate(compiled.components):
        if isinstance(charge, DailyCharge):
            _charge_day(running, index, charge)
        elif isinstance(charge, CapacityCharge) and contracted_w:
            _charge_capacity(running, index, charge, contracted_w)
    if compiled.allowances:
        running.pay(before)
    lines, after = running.closed()
    return Rated(lines, after)


def close_period(compiled: CompiledTariff, counters: Counters, *, part: Part = WHOLE) -> Rated:
    """Charge what the counters' billing period is short of its minimums; `part` is what was lived in of it.

    Closing again after later usage of the period charges the difference, which may be negative.
    """
    if not counters.period or not compiled.minimums:
        return Rated([], counters)
    running = begun(compiled, counters, counters.period)
    for index, thing in compiled.minimums:
        wanted = _minimum(compiled, index, thing, counters.period, part)
        short = max(wanted - running.total(thing.on), Fraction(0)) - running.total((thing.component,))
        if short:
            running.charge(index, short, measured_words(thing, index))
    lines, after = running.closed()
    return Rated(lines, after)


def _minimum(compiled: CompiledTariff, index: int, thing: Minimum, period: str, part: Part) -> Fraction:
    first, last = month_of(period)
    share = share_of(compiled.tariff.proration.minimum, part, first, last)
    return Fraction(thing.amount) * _MICROS * compiled.net[index] * share


def _charge_day(running: Running, index: int, charge: DailyCharge) -> None:
    compiled = running.compiled
    running.add(compiled.vector(index, Fraction(charge.price_per_day) * _MICROS), 1)
    rule = compiled.with_rule(index, "standing charge a day")
    words = Words(charge, index, unit="day", price=compiled.price(index, charge.price_per_day), rule=rule)
    running.write((words,), 1)


def _charge_capacity(running: Running, index: int, charge: CapacityCharge, contracted_w: int) -> None:
    compiled = running.compiled
    running.add(compiled.vector(index, per_watt_day(charge)), contracted_w)
    monthly = compiled.price(index, charge.price_per_kw_month)
    rule = compiled.with_rule(index, f"{monthly} per contracted kW and month × 12 / 365 a day")
    words = Words(charge, index, unit="kW·day", price=f"{monthly} × 12 / 365", rule=rule)
    running.write((words,), contracted_w)
