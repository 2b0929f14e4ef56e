"""Ticks among usage that is corrected later, under any tariff: in the end all is as if the right figures had come."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain import intervals
from ledger.domain.meter import BillingPeriodClosed, ReadingHeld, Source, TimeChargeDebited
from ledger.domain.occupancy import agrees
from ledger.domain.snapshot import Price, PricingSnapshot
from ledger.domain.supply import Supply
from ledger.domain.ticking import take_tick
from ledger.rating.components import CapacityCharge, DailyCharge
from ledger.rating.rate import CompiledTariff, compile_tariff
from ledger.wire import IntervalReading, Quality
from tests.ledger.builders import MOVED_IN, assigned, installed, occupied, registered
from tests.ledger.drawn_tariffs import BERLIN, prices, tariffs
from tests.ledger.life import Life

HOUR = timedelta(hours=1)
CONTRACTED_W = 5_500


class Fixed(PricingSnapshot):
    """Supply points with one price."""

    price: Price

    def prices_of(self, supply: Supply) -> tuple[Price, ...]:
        return (self.price,)


@dataclass(frozen=True, slots=True)
class Step:
    """The tick of a local date, or an hour's usage: first estimated, in the end measured."""

    day: date | None
    slot: int = 0
    estimated_milliwh: int = 0
    measured_milliwh: int = 0


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    """Usage of ten weeks in any order, with ticks that ascend among it."""
    slots = draw(st.lists(st.integers(0, 24 * 70), min_size=1, max_size=6, unique=True))
    energies = st.integers(0, 9_000_000)
    used = [Step(None, slot, draw(energies), draw(energies)) for slot in slots]
    days = sorted(draw(st.lists(st.integers(0, 75), min_size=1, max_size=6)))
    found: list[Step] = []
    for day in days:
        found += [used.pop() for _ in range(draw(st.integers(0, len(used))))]
        found.append(Step((MOVED_IN + timedelta(days=day)).date()))
    return found + used


@st.composite
def timed(draw: st.DrawFn) -> CompiledTariff:
    """Any tariff of energy, with a standing charge and one for the contracted power on top."""
    tariff = draw(tariffs(measures=False)).tariff
    more = (DailyCharge("standing", draw(prices)), CapacityCharge("capacity", draw(prices)))
    # Taxes may be on the minimum that was drawn: only its amount is raised to where usage falls short of it.
    minimums = tuple(replace(one, amount=Decimal(draw(st.integers(5, 80)))) for one in tariff.minimums)
    return compile_tariff(replace(tariff, charges=(*tariff.charges, *more), minimums=minimums), version=1)


def home_on(tariff: CompiledTariff) -> Life:
    snapshot = Fixed()
    snapshot.price = Price(MOVED_IN - HOUR, tariff, CONTRACTED_W)
    for fact in (registered(), installed(measures="interval"), occupied(), assigned()):
        snapshot.apply(fact)
    return Life(snapshot)


def takes(home: Life, step: Step, energy_milliwh: int, quality: Quality, *, corrects: bool = False) -> None:
    start = MOVED_IN + step.slot * HOUR
    reading = IntervalReading(
        meter="room-1-m", start=start, end=start + HOUR, import_milliwh=energy_milliwh, quality=quality
    )
    supersedes = intervals.identity(reading) if corrects else None
    home.takes(msgspec.structs.replace(reading, supersedes=supersedes), 10**6)


def ticks(home: Life, day: date) -> None:
    ended = datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC) + timedelta(hours=26)
    home.messages += 1
    source = Source(0, home.messages, ended, local_date=day)
    take_tick(home.draft, home.metering, home.supply, through=day, source=source)


def play(home: Life, story: list[Step], *, is_measured: bool) -> None:
    for step in story:
        if step.day is not None:
            ticks(home, step.day)
        elif is_measured:
            takes(home, step, step.measured_milliwh, "measured")
        else:
            takes(home, step, step.estimated_milliwh, "estimated")


@given(timed(), steps(), st.randoms(use_true_random=False))
def test_estimates_corrected_after_the_close_come_to_what_was_measured(
    tariff: CompiledTariff, story: list[Step], order: object
) -> None:
    right, corrected = home_on(tariff), home_on(tariff)
    play(right, story, is_measured=True)
    play(corrected, story, is_measured=False)
    late = [step for step in story if step.day is None]
    getattr(order, "shuffle")(late)  # noqa: B009 - a Random that hypothesis draws from
    for step in late:
        takes(corrected, step, step.measured_milliwh, "measured", corrects=True)
    assert corrected.facts(ReadingHeld) == []
    assert corrected.charged == right.charged
    assert corrected.metering.state.charged_to == right.metering.state.charged_to
    for home in (right, corrected):
        again = home.history.counters(home.snapshot.prices_of(home.supply))
        assert agrees(home.metering.state, again)
        dates = [fact.first_date for fact in home.facts(TimeChargeDebited)]
        assert dates == sorted(set(dates))
        assert len({fact.period for fact in home.facts(BillingPeriodClosed)}) == len(home.facts(BillingPeriodClosed))
