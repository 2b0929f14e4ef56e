"""Money into energy: the most watt-hours that an amount buys at an instant, with the exact change.

A search on rating itself, so that what is quoted is what will be charged: galloping up to an amount that is too
large, then halving. Where a charge falls as energy rises (volume blocks) each block is searched, from above.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ledger.rating.bill import quantity_usage
from ledger.rating.compiled import CompiledTariff
from ledger.rating.lines import Counters, Line, Rated
from ledger.rating.rate import rate
from ledger.rating.usage import segment_usage
from ledger.values.energy import MILLIWH_PER_WH
from ledger.values.errors import InvalidValue, Refused
from ledger.values.money import decimal_from_micros

# A terawatt-hour: what costs nothing up to here is free.
_MOST_WH = 10**12


@dataclass(frozen=True, slots=True)
class Quoted:
    """What an amount buys: `energy_milliwh` is whole watt-hours, `cost_micros` + `change_micros` is the amount."""

    energy_milliwh: int
    cost_micros: int
    change_micros: int
    lines: list[Line]


def quote(compiled: CompiledTariff, counters: Counters, *, amount_micros: int, at: datetime) -> Quoted:
    """Return the most watt-hours that an amount buys, levies, taxes and fees included.

    rate(energy) ≤ amount < rate(energy + 1 Wh). Where even opening a period costs more than the amount, nothing is
    bought and all of it is change. Raises InvalidValue for a negative amount, Refused where energy is free.
    """
    if amount_micros < 0:
        raise InvalidValue(f"amount {decimal_from_micros(amount_micros)} is negative; give what is to be paid")

    def rated(energy_wh: int) -> Rated:
        usage = quantity_usage(compiled, energy_wh * MILLIWH_PER_WH, at=at)
        return rate(compiled, counters, segment_usage(compiled, usage))

    def cost(energy_wh: int) -> int:
        return sum(line.amount_micros for line in rated(energy_wh).lines)

    bought = _search(compiled, counters, cost, amount_micros, at)
    if bought is None:
        return Quoted(0, 0, amount_micros, [])
    lines = rated(bought).lines
    paid = sum(line.amount_micros for line in lines)
    return Quoted(bought * MILLIWH_PER_WH, paid, amount_micros - paid, lines)


def _search(
    compiled: CompiledTariff, counters: Counters, cost: Callable[[int], int], amount_micros: int, at: datetime
) -> int | None:
    """Return the most watt-hours that cost no more than the amount; None where not even none do."""
    falls = _falls(compiled, counters, at)
    for begins, ends in zip(reversed(falls), reversed([*[fall - 1 for fall in falls[1:]], None]), strict=True):
        if cost(begins) <= amount_micros:
            return _within(compiled, cost, amount_micros, begins, ends)
    return None


def _within(
    compiled: CompiledTariff, cost: Callable[[int], int], amount_micros: int, low: int, ends: int | None
) -> int:
    """Return the most watt-hours from `low` on, which the amount pays for, to `ends`."""
    step = 1
    high = low + step
    while cost(high if ends is None else min(high, ends)) <= amount_micros:
        if ends is not None and high >= ends:
            return ends
        if high > _MOST_WH:
            raise Refused(
                f"tariff {compiled.tariff.code!r} charges nothing more for energy at this time, so there is no end to"
                " what an amount buys; quote a time or a block that has a price"
            )
        low, step = high, step * 2
        high = low + step
    high = high if ends is None else min(high, ends)
    while high - low > 1:
        middle = (low + high) // 2
        if cost(middle) <= amount_micros:
            low = middle
        else:
            high = middle
    return low


def _falls(compiled: CompiledTariff, counters: Counters, at: datetime) -> list[int]:
    """Return the watt-hours at which the charge may fall: 0, and the first of each volume block still ahead."""
    falls = {0}
    period = compiled.days.slot_at(at).period
    for ladder in compiled.ladders:
        if ladder.is_volume:
            position = counters.turned_to(period).positions.get(ladder.component, 0)
            ahead = [limit - position for limit in ladder.thresholds(period, None) if limit > position]
            falls |= {limit // MILLIWH_PER_WH + 1 for limit in ahead}
    return sorted(falls)
