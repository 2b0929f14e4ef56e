"""The registers beside a meter's total: by time-of-use period, reactive and apparent energy, demand (pure).

Where a reading has registers by period, these bill, and the total is a check on them. The others are taken in where
the tariff in force prices them; what it does not price is neither judged nor kept, so that a register which nobody
pays by can never hold up the energy.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from ledger.domain.judging import Bad, Good, Judging, judging_of
from ledger.domain.meter import MeterState
from ledger.domain.snapshot import Price
from ledger.domain.spans import needs_between, shown_demand_w
from ledger.domain.spell import Spell
from ledger.domain.supply import MeterInstalled, Registers
from ledger.rating.lines import Counters
from ledger.rating.quantities import Quantities
from ledger.wire import IntervalReading, RegisterReading

NO_REGISTERS = Registers()
_STEPS = {"kvarh": "mvarh", "kVAh": "mVAh"}
_NAMES = {"kvarh": "reactive energy", "kVAh": "apparent energy", "kW": "demand"}


class Taken(msgspec.Struct, frozen=True, gc=False):
    """What a good reading's other registers say: how they stand, what was used, and the energy that bills."""

    closing: Registers | None
    quantities: Quantities | None
    usage_milliwh: int

    def is_more_than(self, counters: Counters, at: datetime, prices: Sequence[Price]) -> bool:
        """Tell whether there is anything to bill without energy.

        That is reactive or apparent energy, or a demand that is the highest of the month so far; a demand that merely
        stands there when a month begins was another month's.
        """
        found = self.quantities
        if found is None:
            return False
        if found.reactive_millivarh or found.apparent_millivah:
            return True
        tariff = prices[-1].tariff if prices else None
        if found.demand_w is None or tariff is None or tariff.days.slot_at(at).period != counters.period:
            return False
        return found.demand_w > max(counters.demands_w.values(), default=found.demand_w)


def slack_milliwh(meter: MeterInstalled, known: Registers | None) -> int:
    """Return by how much the total may be ahead of what its registers by period have billed."""
    return 0 if known is None else len(known.periods) * meter.resolution_milliwh


def taken(
    *, reading: RegisterReading, judging: Judging, state: MeterState, usage_milliwh: int, needs: frozenset[str]
) -> Taken | Bad:
    """Take in the registers beside the total, which has moved by `usage_milliwh`; `needs` are the units priced.

    A register of which no earlier value is known only gets its baseline: what it counted before is nobody's to say.
    Where the registers by period change their names, begin or cease, the total bills the span.
    """
    known = state.registers or NO_REGISTERS
    has = {"kvarh": reading.reactive_millivarh, "kVAh": reading.apparent_millivah, "kW": reading.demand_w}
    missing = _missing(has, needs)
    if missing:
        return Bad("register-missing", missing, usage_milliwh)
    periods = _periods(reading, judging, known, usage_milliwh)
    if isinstance(periods, Bad):
        return periods
    if needs:
        # They were read last with the last event, not with a total that stood still.
        since = state.billed_to or judging.since
        judging = judging_of(judging.meter, state, since, reading.read_at)
    reactive = _other("kvarh", reading.reactive_millivarh, known.reactive_millivarh, judging, needs)
    apparent = _other("kVAh", reading.apparent_millivah, known.apparent_millivah, judging, needs)
    demand = judged_demand(reading.demand_w if "kW" in needs else None, judging.meter)
    if isinstance(reactive, Bad):
        return reactive
    if isinstance(apparent, Bad):
        return apparent
    if demand is not None:
        return demand
    energy = sum(periods.used.values()) if periods.used else usage_milliwh
    closing = Registers(
        periods=reading.periods or {},
        reactive_millivarh=reading.reactive_millivarh if "kvarh" in needs else None,
        apparent_millivah=reading.apparent_millivah if "kVAh" in needs else None,
        difference_milliwh=periods.difference_milliwh,
    )
    quantities = Quantities(
        periods=periods.used,
        reactive_millivarh=None if reactive is None else reactive.usage_milliwh,
        apparent_millivah=None if apparent is None else apparent.usage_milliwh,
        demand_w=reading.demand_w if "kW" in needs else None,
    )
    return Taken(
        None if closing == NO_REGISTERS else closing, None if quantities == Quantities() else quantities, energy
    )


def of_interval(reading: IntervalReading, prices: Sequence[Price]) -> Quantities | None:
    """Return what an interval says beside its energy of what is priced; None where that is nothing.

    A measured interval that is aligned as a demand charge asks shows its demand, if it does not say one.
    """
    needs = needs_between(prices, reading.start, reading.end)
    if not needs:
        return None
    demand_w = reading.demand_w if "kW" in needs else None
    if demand_w is None and "kW" in needs and reading.quality == "measured":
        demand_w = shown_demand_w(prices, reading.start, reading.end, reading.import_milliwh)
    found = Quantities(
        reactive_millivarh=reading.reactive_millivarh if "kvarh" in needs else None,
        apparent_millivah=reading.apparent_millivah if "kVAh" in needs else None,
        demand_w=demand_w,
    )
    return None if found == Quantities() else found


def judged_interval(reading: IntervalReading, judging: Judging, prices: Sequence[Price]) -> Bad | None:
    """Say what is wrong with the priced quantities of an interval beside its energy; None where nothing is.

    An interval that is not measured need not say its demand: that is seen when it is corrected.
    """
    needs = needs_between(prices, reading.start, reading.end)
    if not needs:
        return None
    told = of_interval(reading, prices) or Quantities()
    has = {"kvarh": told.reactive_millivarh, "kVAh": told.apparent_millivah, "kW": told.demand_w}
    missing = _missing(has, needs if reading.quality == "measured" else needs - {"kW"})
    if missing:
        return Bad("register-missing", missing, reading.import_milliwh)
    for unit in _STEPS:
        quantity = has[unit]
        if quantity is not None and quantity < 0:
            return Bad("out-of-range", f"{_NAMES[unit]} of {quantity} {_STEPS[unit]} is negative")
        if quantity is not None and quantity > judging.allowance_milliwh:
            detail = f"{quantity} {_STEPS[unit]} of {_NAMES[unit]}, but {judging.told}"
            return Bad("leap", detail, reading.import_milliwh)
    return judged_demand(reading.demand_w if "kW" in needs else None, judging.meter)


def _missing(has: Mapping[str, int | None], needs: frozenset[str]) -> str:
    """Say which priced quantities a reading lacks; empty where it has all that it needs."""
    lacking = [f"{_NAMES[unit]} ({unit})" for unit in has if unit in needs and has[unit] is None]
    return f"the tariff prices {' and '.join(lacking)}, which the reading does not say" if lacking else ""


def unread(known: Registers | None) -> Registers | None:
    """Return what goes on being known when a total was billed without the registers beside it.

    Registers by period begin anew, for the total has billed what they counted; the others bill it all later.
    """
    if known is None or (known.reactive_millivarh is None and known.apparent_millivah is None):
        return None
    return Registers(reactive_millivarh=known.reactive_millivarh, apparent_millivah=known.apparent_millivah)


def advanced(known: Registers | None, used: Quantities | None, modulus_milliwh: int) -> Registers | None:
    """Return the registers after some of a reading's usage, apportioned at an occupancy's boundary."""
    if known is None or used is None:
        return known

    def after(register: int, more: int) -> int:
        return (register + more) % modulus_milliwh if modulus_milliwh else register + more

    def other(register: int | None, more: int | None) -> int | None:
        return None if register is None else after(register, more or 0)

    return Registers(
        periods={name: after(register, used.periods.get(name, 0)) for name, register in known.periods.items()},
        reactive_millivarh=other(known.reactive_millivarh, used.reactive_millivarh),
        apparent_millivah=other(known.apparent_millivah, used.apparent_millivah),
        difference_milliwh=known.difference_milliwh,
    )


def scaled(known: Registers | None, spell: Spell) -> Registers | None:
    """Return a meter's own registers as they count for the supply point."""
    if known is None:
        return None
    others = (known.reactive_millivarh, known.apparent_millivah)
    reactive, apparent = (None if own is None else spell.scaled(own) for own in others)
    return Registers(
        periods={name: spell.scaled(own) for name, own in known.periods.items()},
        reactive_millivarh=reactive,
        apparent_millivah=apparent,
    )


def contradiction(reading: RegisterReading, state: MeterState, meter: MeterInstalled) -> Bad | None:
    """Say how a reading of the last good one's very instant contradicts it; None where it does not."""
    last, register = state.register_milliwh or 0, reading.import_milliwh
    if not 0 <= register - last <= slack_milliwh(meter, state.registers):
        detail = f"register {register} mWh, but {last} mWh at this very time"
        return Bad("conflicting", detail, max(register - last, 0))
    known = {} if state.registers is None else state.registers.periods
    told = reading.periods or {}
    if told.keys() == known.keys() and told != known:
        return Bad("conflicting", f"registers {told}, but {known} at this very time")
    return None


class _Periods(NamedTuple):
    used: dict[str, int]
    difference_milliwh: int


def _periods(reading: RegisterReading, judging: Judging, known: Registers, usage_milliwh: int) -> _Periods | Bad:
    """Judge the registers by period one by one, then all of them against the total.

    The difference is kept from reading to reading: each register is within one step of the truth at any time, so
    however often they are read it never grows beyond a step for each of them.
    """
    periods = reading.periods or {}
    used: dict[str, int] = {}
    for name, register in periods.items():
        verdict = judging.register(register, known.periods.get(name, register), name=f"register {name!r}")
        if isinstance(verdict, Bad):
            return verdict
        used[name] = verdict.usage_milliwh
    if not used or periods.keys() != known.periods.keys():
        return _Periods({}, 0)
    difference = known.difference_milliwh + usage_milliwh - sum(used.values())
    tolerance = (len(used) + 1) * judging.meter.resolution_milliwh
    if abs(difference) > tolerance:
        detail = (
            f"the total moved by {difference} mWh more than the registers by period do, which moved by {used};"
            f" {tolerance} mWh are one step of each register"
        )
        return Bad("registers-disagree", detail, usage_milliwh)
    return _Periods(used, difference)


def _other(
    unit: str, register: int | None, last: int | None, judging: Judging, needs: frozenset[str]
) -> Good | Bad | None:
    if unit not in needs or register is None:
        return None
    last_good = register if last is None else last
    verdict = judging.register(register, last_good, name=f"register of {_NAMES[unit]}", unit=_STEPS[unit])
    return None if last is None and isinstance(verdict, Good) else verdict


def judged_demand(demand_w: int | None, meter: MeterInstalled) -> Bad | None:
    """Say what is wrong with a demand in watts; None where nothing is."""
    if demand_w is None or 0 <= demand_w <= meter.max_power_w:
        return None
    return Bad("out-of-range", f"a demand of {demand_w} W is outside 0 to {meter.max_power_w} W")
