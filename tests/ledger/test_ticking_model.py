"""Ticks in any order, against a plain model: each whole local date once, to who lived there, at its day's price."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.meter import MeterState, Source, TimeChargeDebited
from ledger.domain.metering import Metering
from ledger.domain.occupancy import agrees
from ledger.domain.settling import is_settled, settle
from ledger.domain.snapshot import PricingSnapshot
from ledger.domain.ticking import take_tick
from ledger.store.mapper import fact_of, stored
from tests.ledger.builders import assigned, installed, occupied, published, registered
from tests.ledger.life import Life
from tests.ledger.test_ticking import DAILY, text_with

# Changes of clocks at midnight and in the night, half hours, and a date that a zone left out.
ZONES = ("Europe/Berlin", "Asia/Shanghai", "America/St_Johns", "America/Sao_Paulo", "Asia/Beirut", "Pacific/Apia")
YEARS = {"America/Sao_Paulo": 2017, "Pacific/Apia": 2011}
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Story:
    """Moves, a tariff change, and ticks, each with its date and when it was published."""

    zone: ZoneInfo
    moves: tuple[datetime, ...]
    changed_at: datetime
    ticks: tuple[tuple[date, datetime], ...]

    def midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def payer(self, day: date) -> int | None:
        """The number of the occupancy that a whole date lies in."""
        begin, end = self.midnight(day), self.midnight(day + DAY)
        numbers = [number for number, move in enumerate(self.moves) if move <= begin]
        is_whole = begin < end and not any(begin < move < end for move in self.moves)
        return numbers[-1] if numbers and is_whole else None

    def wanted(self) -> dict[tuple[date, int], int]:
        """Micro-units by date and occupancy: all dates that one tick at least says have ended."""
        found: dict[tuple[date, int], int] = {}
        begin = self.moves[0].astimezone(self.zone).date()
        for number in range(140):
            day = begin + number * DAY
            payer = self.payer(day)
            ended = any(day <= through and self.midnight(day + DAY) <= at for through, at in self.ticks)
            if payer is not None and ended:
                found[day, payer] = 2_000_000 if self.changed_at <= self.midnight(day) else 500_000
        return found


@st.composite
def stories(draw: st.DrawFn) -> Story:
    name = draw(st.sampled_from(ZONES))
    year = YEARS.get(name, 2028)
    begin = datetime(year, draw(st.sampled_from([2, 3, 10, 12])), draw(st.integers(1, 28)), tzinfo=UTC)

    def instants(most_days: int) -> st.SearchStrategy[datetime]:
        minutes = st.integers(0, most_days * 48).map(lambda halves: timedelta(minutes=30 * halves))
        return minutes.map(lambda after: begin + after)

    moves = sorted({begin, *draw(st.lists(instants(60), max_size=3))})
    ticks = []
    for _ in range(draw(st.integers(1, 12))):
        day = (begin + draw(st.integers(-1, 70)) * DAY).date()
        # From an hour too early for its date to have ended anywhere near, to a fortnight late.
        ended = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(name)).astimezone(UTC) + DAY
        ticks.append((day, ended + draw(st.integers(-3, 24 * 14)) * timedelta(hours=1)))
    return Story(ZoneInfo(name), tuple(moves), draw(instants(60)), tuple(ticks))


def home_of(story: Story) -> Life:
    """A supply point with its moves told at once, a tariff, and its dearer version."""
    text = text_with(DAILY).replace("Asia/Shanghai", story.zone.key)
    snapshot = PricingSnapshot()
    snapshot.apply(published(text=text, at=story.moves[0] - 800 * DAY))
    snapshot.apply(published(text=text.replace("0.50", "2"), at=story.changed_at, version=2))
    snapshot.apply(registered())
    snapshot.apply(msgspec.structs.replace(installed(), installed_at=story.moves[0]))
    for number, move in enumerate(story.moves):
        snapshot.apply(msgspec.structs.replace(occupied(at=move), account=f"room-1-{number}"))
    snapshot.apply(assigned(at=story.moves[0] - 700 * DAY))
    return Life(snapshot)


def tick(home: Life, day: date, at: datetime) -> None:
    home.messages += 1
    source = Source(0, home.messages, at, local_date=day)
    while not is_settled(home.metering, home.supply):
        settle(home.draft, home.metering, home.supply, source, home.history)
    take_tick(home.draft, home.metering, home.supply, through=day, source=source)


def charged(home: Life) -> Counter[tuple[date, int]]:
    """How often each date was charged, by occupancy."""
    return Counter(
        (fact.first_date + number * DAY, fact.occupancy)
        for fact in home.facts(TimeChargeDebited)
        for number in range((fact.last_date - fact.first_date).days + 1)
    )


@given(stories())
def test_each_whole_local_date_is_charged_once_at_its_days_price(story: Story) -> None:
    home = home_of(story)
    for day, at in story.ticks:
        tick(home, day, at)
    wanted = story.wanted()
    # A date that a zone left out lies in a run of dates, but costs nothing.
    times = charged(home)
    assert set(times.values()) <= {1}
    assert {key for key in times if story.payer(key[0]) is not None} == set(wanted)
    assert sum(fact.amount_micros for fact in home.facts(TimeChargeDebited)) == sum(wanted.values())
    assert agrees(home.metering.state, home.history.counters(home.snapshot.prices_of(home.supply)))


@given(stories(), st.integers(0, 11))
def test_a_worker_that_starts_anew_goes_on_as_if_it_had_never_stopped(story: Story, stops_after: int) -> None:
    steady, restarted = home_of(story), home_of(story)
    for number, (day, at) in enumerate(story.ticks):
        for home in (steady, restarted):
            tick(home, day, at)
        if number == stops_after:
            restarted.metering = loaded(restarted)
    assert [stored(event) for event in restarted.draft.events] == [stored(event) for event in steady.draft.events]


def loaded(home: Life) -> Metering:
    """What a worker reads: the newest event of the stream, or nothing."""
    if not home.draft.events:
        return Metering()
    event = home.draft.events[-1]
    state = getattr(fact_of(event.fact.topic, stored(event).state), "state")  # noqa: B009 - every one has it
    assert isinstance(state, MeterState)
    return Metering(state=state, version=event.originator_version)
