"""Rating is exact, and how usage arrives grouped never changes a total (I4)."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rating.components import FlatCharge, Tax
from ledger.rating.lines import Atom, Counters, Line
from ledger.rating.rate import CompiledTariff, compile_tariff, rate
from ledger.rating.segment import segment
from ledger.rating.tariff import Tariff, parse_tariff
from ledger.values.money import decimal_from_micros, divided_half_away
from tests.ledger.builders import MOVED_IN, milliwh, tariff_text

SHANGHAI = ZoneInfo("Asia/Shanghai")

prices = st.decimals(0, 100, allow_nan=False, places=7)
energies = st.integers(0, 10**9)


@st.composite
def tariffs(draw: st.DrawFn) -> CompiledTariff:
    charges = [
        FlatCharge(f"charge-{n}", price) for n, price in enumerate(draw(st.lists(prices, min_size=1, max_size=4)))
    ]
    names = [charge.component for charge in charges]
    bases = st.lists(st.sampled_from(names), min_size=1, unique=True).map(tuple)
    percents = draw(st.lists(st.tuples(prices, bases), max_size=3))
    taxes = [Tax(f"tax-{n}", percent, on) for n, (percent, on) in enumerate(percents)]
    tariff = Tariff(code="t", currency="CNY", time_zone=SHANGHAI, charges=tuple(charges), taxes=tuple(taxes))
    return compile_tariff(tariff, version=1)


@st.composite
def atoms_in_order(draw: st.DrawFn) -> list[Atom]:
    """Atoms of up to three months; some fill a gap of an earlier one."""
    months = draw(st.lists(st.sampled_from(["2026-01", "2026-02", "2026-03"]), min_size=1, max_size=12))
    usage = draw(st.lists(energies, min_size=len(months), max_size=len(months)))
    return [Atom(MOVED_IN, MOVED_IN, energy, month) for month, energy in zip(months, usage, strict=True)]


def _totals(lines: Sequence[Line]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for line in lines:
        totals[line.component] += line.amount_micros
    return totals


def _grouped(atoms: list[Atom], cuts: set[int]) -> list[list[Atom]]:
    bounds = [0, *sorted(cut for cut in cuts if 0 < cut < len(atoms)), len(atoms)]
    return [atoms[begin:end] for begin, end in pairwise(bounds)]


@given(tariffs(), atoms_in_order(), st.sets(st.integers(1, 11)))
def test_any_ordered_grouping_gives_the_same_total_of_every_component(
    tariff: CompiledTariff, atoms: list[Atom], cuts: set[int]
) -> None:
    at_once = rate(tariff, Counters(), atoms)
    lines: list[Line] = []
    counters = Counters()
    for group in _grouped(atoms, cuts):
        rated = rate(tariff, counters, group)
        lines += rated.lines
        counters = rated.counters
    assert _totals(lines) == _totals(at_once.lines)
    assert counters == at_once.counters


@given(tariffs(), st.lists(energies, min_size=1, max_size=10))
def test_a_periods_total_is_its_exact_charge_rounded_once(tariff: CompiledTariff, usage: list[int]) -> None:
    atoms = [Atom(MOVED_IN, MOVED_IN, energy, "2026-01") for energy in usage]
    totals: Counter[str] = Counter()
    counters = Counters()
    for atom in atoms:
        rated = rate(tariff, counters, [atom])
        totals += _totals(rated.lines)
        counters = rated.counters
    charges = [charge for charge in tariff.tariff.charges if isinstance(charge, FlatCharge)]
    for charge in charges:
        assert totals[charge.component] == _rounded(sum(usage) * Fraction(charge.price_per_kwh))
    for tax in tariff.tariff.taxes:
        base = sum((Fraction(c.price_per_kwh) for c in charges if c.component in tax.on), Fraction(0))
        assert totals[tax.component] == _rounded(sum(usage) * base * Fraction(tax.percent) / 100)


def _rounded(exact: Fraction) -> int:
    return divided_half_away(exact.numerator, exact.denominator)


@given(
    tariffs(),
    st.lists(st.integers(1, 5_000), min_size=1, max_size=8, unique=True),
    st.integers(0, 10**8),
)
def test_extra_readings_never_change_a_total(tariff: CompiledTariff, cuts_min: list[int], usage_milliwh: int) -> None:
    """The span lies within a month; a meter that rises evenly is read at any times in between."""
    start, length_min = MOVED_IN, 6_000
    read_at = [0, *sorted(cuts_min), length_min]
    register = [usage_milliwh * minute // length_min for minute in read_at]
    counters, lines = Counters(), []
    for (begin, end), (low, high) in zip(pairwise(read_at), pairwise(register), strict=True):
        rated = rate(tariff, counters, _atoms(start, begin, end, high - low))
        counters = rated.counters
        lines += rated.lines
    at_once = rate(tariff, Counters(), _atoms(start, 0, length_min, usage_milliwh))
    assert _totals(lines) == _totals(at_once.lines)
    assert counters == at_once.counters


def _atoms(start: datetime, begin_min: int, end_min: int, usage_milliwh: int) -> list[Atom]:
    return segment(
        start=start + timedelta(minutes=begin_min),
        end=start + timedelta(minutes=end_min),
        energy_milliwh=usage_milliwh,
        zone=SHANGHAI,
    )


@pytest.mark.parametrize(
    ("price", "vat", "kwh", "energy", "tax"),
    [
        # 0.64 × 260: the first step of the provincial example in rating_cases.json.
        ("0.64", "0", "260", "166.40", "0"),
        # 4.57 × 30: the first slab of the Meghalaya example there.
        ("4.57", "0", "30", "137.10", "0"),
        # 5.00 × 6 kWh with 13 per cent on top: 30.00 and 3.90.
        ("5.00", "13", "6", "30.00", "3.90"),
        # 0.617 × 0.010 kWh = 0.00617, and 13 per cent of that 0.0008021, which is 0.000802 in micro-units.
        ("0.617", "13", "0.01", "0.00617", "0.000802"),
        # Half a micro-unit goes up: 0.5 × 0.000001 kWh.
        ("0.5", "0", "0.000001", "0.000001", "0"),
    ],
)
def test_amounts_worked_out_by_hand(price: str, vat: str, kwh: str, energy: str, tax: str) -> None:
    tariff = compile_tariff(parse_tariff(tariff_text(price=price, vat=vat)), version=1)
    atom = Atom(MOVED_IN, MOVED_IN, milliwh(kwh), "2026-03")
    lines = {line.component: line for line in rate(tariff, Counters(), [atom]).lines}
    assert decimal_from_micros(lines["energy"].amount_micros) == Decimal(energy)
    assert decimal_from_micros(lines["vat"].amount_micros) == Decimal(tax)
    assert lines["energy"].quantity == str(Decimal(kwh).quantize(Decimal("0.000001")))
    assert Decimal(lines["vat"].quantity) == Decimal(energy)


def test_a_tax_is_on_the_exact_base_not_on_the_rounded_line() -> None:
    """A line of 0.4 micro-units posts nothing, yet ten of them owe the tax on four."""
    tariff = compile_tariff(parse_tariff(tariff_text(price="0.4", vat="100")), version=1)
    counters, totals = Counters(), Counter[str]()
    for _ in range(10):
        rated = rate(tariff, counters, [Atom(MOVED_IN, MOVED_IN, 1, "2026-03")])
        counters = rated.counters
        totals += _totals(rated.lines)
    assert totals == {"energy": 4, "vat": 4}


def test_a_new_month_counts_from_nothing_and_the_last_two_are_remembered() -> None:
    tariff = compile_tariff(parse_tariff(tariff_text()), version=1)
    counters = Counters()
    for month in ("2026-01", "2026-02", "2026-03", "2026-04"):
        counters = rate(tariff, counters, [Atom(MOVED_IN, MOVED_IN, 5, month)]).counters
    assert (counters.period, counters.energy_milliwh) == ("2026-04", 5)
    assert counters.others == (("2026-02", 5), ("2026-03", 5))
    assert set(counters.earlier) == {"2026-02", "2026-03"}


def test_a_gap_filled_in_last_month_leaves_this_month_where_it_was() -> None:
    tariff = compile_tariff(parse_tariff(tariff_text()), version=1)
    months = ["2026-01", "2026-02", "2026-01", "2026-02"]
    counters = rate(tariff, Counters(), [Atom(MOVED_IN, MOVED_IN, 5, month) for month in months]).counters
    assert (counters.period, counters.energy_milliwh, counters.others) == ("2026-02", 10, (("2026-01", 10),))
    assert counters.charges == counters.earlier["2026-01"].charges


def test_a_line_says_what_it_was_worked_out_from() -> None:
    tariff = compile_tariff(parse_tariff(tariff_text(price="0.50", vat="13")), version=4)
    atom = Atom(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC), milliwh(2), "2026-03")
    energy, vat = rate(tariff, Counters(), [atom]).lines
    assert (energy.quantity, energy.unit, energy.price) == ("2.000000", "kWh", "0.50")
    assert (vat.quantity, vat.unit, vat.price, vat.rule) == ("1.000000", "%", "13", "13% of energy")
    assert (energy.tax, vat.tax) == (False, True)
    assert {(line.tariff, line.version) for line in (energy, vat)} == {("flat", 4)}
