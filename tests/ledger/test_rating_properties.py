"""What holds for every tariff and every usage: exactness, grouping, order of size, conservation, and its inverse."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ledger.rating.bill import bill, counters_to_date, quantity_usage
from ledger.rating.components import ALWAYS, BlockCharge, FlatCharge, Levy, Rebate, Tax, TimeOfUseCharge
from ledger.rating.daily import close_period, rate_day
from ledger.rating.days import LocalDays
from ledger.rating.ladder import days_in
from ledger.rating.lines import Atom, Counters, Line, Rated
from ledger.rating.quote import quote
from ledger.rating.rate import CompiledTariff, begun, rate
from ledger.rating.rate import _take as take_the_long_way
from ledger.rating.usage import Usage, segment_usage
from ledger.values.errors import Refused
from ledger.values.money import divided_half_away
from tests.ledger.drawn_tariffs import BERLIN, CALENDAR, costly, energies, tariffs, usages

NOON = datetime(2026, 3, 10, 11, tzinfo=UTC)


def totals(lines: Iterable[Line]) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in lines:
        found[line.component] += line.amount_micros
    return found


def atoms_of(tariff: CompiledTariff, used: Sequence[Usage]) -> list[Atom]:
    return [atom for usage in used for atom in segment_usage(tariff, usage)]


def grouped(atoms: list[Atom], cuts: set[int]) -> list[list[Atom]]:
    bounds = [0, *sorted(cut for cut in cuts if 0 < cut < len(atoms)), len(atoms)]
    return [atoms[begin:end] for begin, end in pairwise(bounds)]


@given(tariffs(), usages(), st.sets(st.integers(1, 40)), st.integers(0, 20_000))
def test_no_ordered_grouping_of_atoms_changes_a_components_total_or_the_counters(
    tariff: CompiledTariff, used: list[Usage], cuts: set[int], contracted_w: int
) -> None:
    begins = rate_day(tariff, Counters(), day=used[0].start.date(), contracted_w=contracted_w)
    atoms = atoms_of(tariff, used)
    at_once = rate(tariff, begins.counters, atoms)
    lines: list[Line] = []
    counters = begins.counters
    for group in grouped(atoms, cuts):
        rated = rate(tariff, counters, group)
        lines += rated.lines
        counters = rated.counters
    assert totals(lines) == totals(at_once.lines)
    assert counters == at_once.counters


@given(tariffs(), usages(), st.booleans())
def test_what_is_posted_in_a_period_is_its_exact_charge_rounded_once(
    tariff: CompiledTariff, used: list[Usage], closes: bool
) -> None:
    in_march = [usage for usage in used if usage.end <= datetime(2026, 3, 31, 22, tzinfo=UTC)]
    rated = bill(tariff, in_march, contracted_kw=Decimal(3), closes_period=closes)
    posted = totals(rated.lines)
    for name, charge in rated.counters.charges.items():
        assert posted[name] == divided_half_away(charge, rated.counters.denominator)


@given(tariffs(measures=False, windows="month day"), usages())
def test_exact_charges_are_what_a_plain_calculation_over_the_month_gives(
    tariff: CompiledTariff, used: list[Usage]
) -> None:
    """An oracle that knows nothing of denominators, cells or steps: sums over whole ladders."""
    if tariff.tariff.is_tax_inclusive or tariff.tariff.free_units or tariff.allowances:
        return
    atoms = [atom for atom in atoms_of(tariff, used) if atom.period == "2026-03"]
    if not atoms:
        return
    counters = rate(tariff, Counters(), atoms).counters
    exact = plainly(tariff, atoms)
    for name, charge in counters.charges.items():
        assert Fraction(charge, counters.denominator) == exact[name], name


def plainly(tariff: CompiledTariff, atoms: list[Atom]) -> dict[str, Fraction]:
    exact: dict[str, Fraction] = {}
    for thing in tariff.components:
        match thing:
            case FlatCharge() | TimeOfUseCharge() | BlockCharge():
                exact[thing.component] = _charged(thing, atoms)
            case Levy(percent=None):
                price = Fraction(thing.price_per_kwh or 0)
                exact[thing.component] = price * sum(atom.energy_milliwh for atom in atoms)
            case Levy() | Tax() | Rebate():
                base = sum((exact[name] for name in thing.on), Fraction(0))
                sign = -1 if isinstance(thing, Rebate) else 1
                exact[thing.component] = sign * base * Fraction(thing.percent or 0) / 100
            case _:
                exact[thing.component] = Fraction(0)
    return exact


def _charged(thing: FlatCharge | TimeOfUseCharge | BlockCharge, atoms: list[Atom]) -> Fraction:
    if isinstance(thing, TimeOfUseCharge):
        return sum((Fraction(thing.prices[atom.time_of_use]) * atom.energy_milliwh for atom in atoms), Fraction(0))
    mine = [atom for atom in atoms if not thing.periods or atom.time_of_use in thing.periods]
    if isinstance(thing, FlatCharge):
        return Fraction(thing.price_per_kwh) * sum(atom.energy_milliwh for atom in mine)
    times = days_in("2026-03") if thing.window == "day" else 1
    exact, below = Fraction(thing.blocks[0].entry_fee) * 10**6, 0
    for number, block in enumerate(thing.blocks):
        top = 10**30 if block.up_to_milliwh is None else block.up_to_milliwh * times
        at = taken = 0
        for atom in mine:
            inside = max(min(at + atom.energy_milliwh, top) - max(at, below), 0)
            price = block.prices.get(ALWAYS, block.prices.get(atom.time_of_use, Decimal(0)))
            exact += Fraction(price) * inside
            at += atom.energy_milliwh
            taken += inside
        exact += Fraction(block.entry_fee) * 10**6 if taken and number else 0
        below = top
    return exact


@given(tariffs(windows="month"), usages(), st.integers(1, 10**7))
def test_the_short_way_gives_line_for_line_what_the_long_way_gives(
    tariff: CompiledTariff, used: list[Usage], energy_milliwh: int
) -> None:
    before = rate(tariff, Counters(), atoms_of(tariff, used)).counters
    slot = tariff.days.slot_at(used[-1].end - timedelta(microseconds=1))
    atom = Atom(slot.start, slot.end, energy_milliwh, before.period, slot.time_of_use)
    running = begun(tariff, before, atom.period)
    take_the_long_way(running, atom)
    assert rate(tariff, before, [atom]) == Rated(*running.closed())


@given(tariffs(windows="month day", measures=False), st.data(), energies)
def test_extra_readings_never_change_a_total_while_no_span_crosses_a_boundary(
    tariff: CompiledTariff, data: st.DataObject, energy_milliwh: int
) -> None:
    """Within one time-of-use period of a day, a meter that rises evenly is read at any times in between."""
    slot = CALENDAR_DAYS.slot_at(NOON)
    length = int((slot.end - slot.start).total_seconds())
    cuts = sorted(data.draw(st.sets(st.integers(1, length - 1), max_size=6)))
    read_at = [0, *cuts, length]
    register = [energy_milliwh * second // length for second in read_at]
    spans = [
        Usage(slot.start + timedelta(seconds=begin), slot.start + timedelta(seconds=end), high - low)
        for (begin, end), (low, high) in zip(pairwise(read_at), pairwise(register), strict=True)
    ]
    often = bill(tariff, spans, contracted_kw=Decimal(2), closes_period=True)
    once = bill(tariff, [Usage(slot.start, slot.end, energy_milliwh)], contracted_kw=Decimal(2), closes_period=True)
    assert totals(often.lines) == totals(once.lines)


CALENDAR_DAYS = LocalDays(BERLIN, CALENDAR)


@given(tariffs(gives=False), usages(), st.integers(0, 100), st.integers(1, 10**7))
def test_more_usage_never_costs_less_without_rebates_and_gifts(
    tariff: CompiledTariff, used: list[Usage], which: int, more_milliwh: int
) -> None:
    """Held for atoms: which period a span's last milliwatt-hour falls in may change with its energy."""
    if any(isinstance(thing, BlockCharge) and not _is_rising(thing) for thing in tariff.tariff.charges):
        return
    atoms = atoms_of(tariff, used)
    raised = [*atoms]
    which %= len(atoms)
    raised[which] = msgspec.structs.replace(atoms[which], energy_milliwh=atoms[which].energy_milliwh + more_milliwh)
    less, more = rate(tariff, Counters(), atoms).counters, rate(tariff, Counters(), raised).counters
    assert _exact_total(more) >= _exact_total(less)


def _exact_total(counters: Counters) -> Fraction:
    """All that was charged in all periods remembered."""
    tallies = [(counters.charges, counters.denominator)]
    tallies += [(tally.charges, tally.denominator) for tally in counters.earlier.values()]
    return sum((Fraction(sum(charges.values()), below) for charges, below in tallies), Fraction(0))


def _is_rising(thing: BlockCharge) -> bool:
    """Tell whether every price is at least the one a block below: then nothing pushed up the ladder costs less."""
    return all(
        min(upper.prices.values()) >= max(lower.prices.values()) for lower, upper in pairwise(thing.blocks)
    ) and all(set(block.prices) == {ALWAYS} for block in thing.blocks)


@given(tariffs(), usages())
def test_apportioning_conserves_every_quantity_and_cuts_at_every_boundary(
    tariff: CompiledTariff, used: list[Usage]
) -> None:
    for usage in used:
        atoms = segment_usage(tariff, usage)
        assert sum(atom.energy_milliwh for atom in atoms) == usage.import_milliwh
        assert sum(atom.reactive_millivarh for atom in atoms) == usage.reactive_millivarh
        assert sum(atom.apparent_millivah for atom in atoms) == usage.apparent_millivah
        assert (atoms[0].start, atoms[-1].end) == (usage.start, usage.end)
        assert all(one.end == other.start for one, other in pairwise(atoms))
        for atom in atoms:
            last = (atom.end - timedelta(microseconds=1)).astimezone(BERLIN)
            first = atom.start.astimezone(BERLIN)
            assert first.date() == last.date()
            assert {_wall_period(first), _wall_period(last)} == {atom.time_of_use}


def _wall_period(local: datetime) -> str:
    name = ""
    for minute, period in CALENDAR.plan(local.date()):
        if minute <= local.hour * 60 + local.minute:
            name = period
    return name


@given(
    tariffs(price=costly, measures=False) | tariffs(price=costly, measures=False, gives=False),
    st.integers(0, 500_000_000),
    energies,
    energies,
)
def test_a_quote_is_the_most_that_an_amount_buys(
    tariff: CompiledTariff, amount_micros: int, month_milliwh: int, year_milliwh: int
) -> None:
    counters = counters_to_date(
        tariff, at=NOON, month_to_date_milliwh=month_milliwh, year_to_date_milliwh=year_milliwh
    )

    def costs(milliwh: int) -> int:
        atoms = segment_usage(tariff, quantity_usage(tariff, milliwh, at=NOON))
        return sum(line.amount_micros for line in rate(tariff, counters, atoms).lines)

    try:
        quoted = quote(tariff, counters, amount_micros=amount_micros, at=NOON)
    except Refused:
        assert costs(10**15) <= amount_micros
        return
    assert quoted.cost_micros + quoted.change_micros == amount_micros
    assert quoted.energy_milliwh % 1000 == 0
    if costs(0) > amount_micros:
        assert quoted.energy_milliwh == quoted.cost_micros == 0
    else:
        assert costs(quoted.energy_milliwh) == quoted.cost_micros <= amount_micros
        assert costs(quoted.energy_milliwh + 1_000) > amount_micros


@given(tariffs(), usages(), energies)
def test_closing_a_period_twice_charges_the_difference(
    tariff: CompiledTariff, used: list[Usage], late_milliwh: int
) -> None:
    counters = rate(tariff, Counters(), atoms_of(tariff, used)).counters
    closed = close_period(tariff, counters)
    again = close_period(tariff, closed.counters)
    assert totals(again.lines) == Counter()
    late = Usage(used[-1].end, used[-1].end, late_milliwh)
    if segment_usage(tariff, late)[0].period != counters.period:
        return
    after = rate(tariff, closed.counters, segment_usage(tariff, late)).counters
    in_time = rate(tariff, counters, segment_usage(tariff, late)).counters
    assert _exact(close_period(tariff, after).counters) == _exact(close_period(tariff, in_time).counters)


def _exact(counters: Counters) -> dict[str, Fraction]:
    return {name: Fraction(charge, counters.denominator) for name, charge in counters.charges.items()}


@given(st.dates(date(2026, 1, 1), date(2027, 12, 31)))
def test_slots_fill_a_local_day_and_nothing_else(day: date) -> None:
    start, end = CALENDAR_DAYS.midnight(day), CALENDAR_DAYS.midnight(day + timedelta(days=1))
    slots = CALENDAR_DAYS.slots(start, end)
    assert (slots[0].start, slots[-1].end) == (start, end)
    assert {slot.day for slot in slots} == {day}
    assert all(one.end == other.start for one, other in pairwise(slots))
