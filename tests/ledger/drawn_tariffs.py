"""Random tariffs of every component kind, and usage for them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from ledger.rating.calendar import DAY_TYPES, Calendar, Holidays, Season
from ledger.rating.components import (
    ALWAYS,
    Allowance,
    Block,
    BlockCharge,
    CapacityCharge,
    Charge,
    DailyCharge,
    DemandCharge,
    FlatCharge,
    FreeUnits,
    Levy,
    Minimum,
    Rebate,
    Tax,
    TimeOfUseCharge,
)
from ledger.rating.rate import CompiledTariff, compile_tariff
from ledger.rating.tariff import Tariff
from ledger.rating.usage import Usage

BERLIN = ZoneInfo("Europe/Berlin")
PERIODS = ("峰", "平", "谷")
_PLANS = {
    "summer": ((0, "谷"), (420, "平"), (600, "峰"), (1320, "谷")),
    "winter": ((0, "谷"), (150, "平"), (1020, "峰"), (1200, "平")),
}
_WEEKEND = ((0, "平"), (720, "谷"))
CALENDAR = Calendar(
    PERIODS,
    (Season("summer", (3, 29), (10, 24)), Season("winter", (10, 25), (3, 28))),
    {
        (season, kind): plan if kind == "weekday" else _WEEKEND
        for season, plan in _PLANS.items()
        for kind in DAY_TYPES
    },
    Holidays(country="DE", subdivision="BY"),
)

prices = st.decimals(0, 5, places=5)
costly = st.decimals(Decimal("0.01"), 5, places=4)
percents = st.decimals(0, 30, places=2)
energies = st.integers(0, 40_000_000)


def by_period(price: st.SearchStrategy[Decimal]) -> st.SearchStrategy[dict[str, Decimal]]:
    return st.fixed_dictionaries(dict.fromkeys(PERIODS, price))


@st.composite
def ladders(draw: st.DrawFn, name: str, price: st.SearchStrategy[Decimal], *, windows: str) -> BlockCharge:
    ends = sorted(draw(st.sets(st.integers(1, 60_000_000), max_size=3)))
    window = draw(st.sampled_from(windows.split()))
    ends = [end // 20 + number for number, end in enumerate(ends)] if window == "day" else ends
    is_crossed = draw(st.booleans())
    blocks = tuple(
        Block(end, draw(by_period(price)) if is_crossed else {ALWAYS: draw(price)}, draw(price | st.just(Decimal(0))))
        for end in (*ends, None)
    )
    periods = () if is_crossed else draw(st.sampled_from([(), ("峰",), ("峰", "谷")]))
    anchor = draw(st.sampled_from([(1, 1), (3, 15), (4, 1)])) if window == "year" else (1, 1)
    return BlockCharge(name, blocks, window=window, anchor=anchor, periods=periods)  # type: ignore[arg-type]


@st.composite
def energy_charges(draw: st.DrawFn, *, price: st.SearchStrategy[Decimal], windows: str) -> list[Charge]:
    kinds = draw(st.lists(st.sampled_from(["flat", "only", "tou", "ladder"]), min_size=1, max_size=3))
    charges: list[Charge] = []
    for number, kind in enumerate(kinds):
        name = f"{kind}-{number}"
        if kind == "flat":
            charges.append(FlatCharge(name, draw(price)))
        elif kind == "only":
            charges.append(FlatCharge(name, draw(price), periods=("峰",)))
        elif kind == "tou":
            charges.append(TimeOfUseCharge(name, draw(by_period(price))))
        else:
            charges.append(draw(ladders(name, price, windows=windows)))
    return charges


@st.composite
def tariffs(
    draw: st.DrawFn,
    *,
    price: st.SearchStrategy[Decimal] = prices,
    windows: str = "month year day",
    gives: bool = True,
    measures: bool = True,
) -> CompiledTariff:
    """A tariff of any components; `gives`: rebates, free units, allowances; `measures`: other than kWh."""
    charges = draw(energy_charges(price=price, windows=windows))
    of_energy = [charge.component for charge in charges]
    if measures:
        charges.append(FlatCharge("reactive", draw(price), unit="kvarh"))
        charges.append(FlatCharge("apparent", draw(price), unit="kVAh", periods=("峰",)))
        charges.append(DailyCharge("standing", draw(price)))
        charges.append(CapacityCharge("capacity", draw(price)))
        charges.append(
            DemandCharge("demand", draw(price), interval_min=15, periods=draw(st.sampled_from([(), ("峰",)])))
        )
    names = [charge.component for charge in charges]
    bases = st.lists(st.sampled_from(names), min_size=1, unique=True).map(tuple)
    levies = [Levy("duty", None, draw(price), ()), Levy("fund", draw(percents), None, draw(bases))]
    levies = draw(st.lists(st.sampled_from(levies), unique=True, max_size=2))
    free = [FreeUnits("free", draw(energies), draw(st.sampled_from(["month", "day"])), (of_energy[0],))]
    rebates = [Rebate("rebate", draw(percents), draw(bases))]
    worked_on = [*names, *(levy.component for levy in levies)]
    more = st.lists(st.sampled_from(worked_on), min_size=1, unique=True).map(tuple)
    allowances = [Allowance("social", draw(price), draw(price), draw(more))]
    free = free if gives and draw(st.booleans()) else []
    rebates = rebates if gives and draw(st.booleans()) else []
    allowances = allowances if gives and draw(st.booleans()) else []
    gifts: list[FreeUnits | Rebate | Allowance] = [*free, *rebates, *allowances]
    given = [thing.component for thing in gifts]
    minimums = draw(st.sampled_from([[], [Minimum("minimum", draw(price) * 10, (*worked_on, *given))]]))
    worked_on += [*given, *(row.component for row in minimums)]
    taxed = st.lists(st.sampled_from(worked_on), min_size=1, unique=True).map(tuple)
    taxes = [Tax(f"tax-{number}", draw(percents), draw(taxed)) for number in range(draw(st.integers(0, 2)))]
    tariff = Tariff(
        code="t",
        currency="EUR",
        time_zone=BERLIN,
        charges=tuple(charges),
        taxes=tuple(taxes),
        levies=tuple(levies),
        rebates=tuple(rebates),
        free_units=tuple(free),
        minimums=tuple(minimums),
        allowances=tuple(allowances),
        calendar=CALENDAR,
        is_tax_inclusive=draw(st.booleans()),
    )
    return compile_tariff(tariff, version=1)


@st.composite
def usages(draw: st.DrawFn, *, most: int = 8) -> list[Usage]:
    """Contiguous spans over the change of a month, of clocks, and of the annual windows."""
    at = datetime(2026, 3, draw(st.integers(10, 31)), tzinfo=UTC)
    found: list[Usage] = []
    for _ in range(draw(st.integers(1, most))):
        end = at + timedelta(minutes=draw(st.sampled_from([15, 15, 90, 600, 3_000])))
        demand_w = draw(st.none() | st.integers(0, 9_000))
        reactive, apparent = draw(st.integers(0, 10**6)), draw(st.integers(0, 10**6))
        found.append(Usage(at, end, draw(energies), "", reactive, apparent, demand_w))
        at = end
    return found
