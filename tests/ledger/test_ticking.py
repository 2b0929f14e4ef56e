"""What a tick charges: whole local days and closed periods, once, by the terms and the occupant of the date."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ledger.domain.accounting_month import effective_month
from ledger.domain.billed import BilledHistory
from ledger.domain.occupancy import agrees
from ledger.store.mapper import fact_of, stored
from tests.ledger.builders import (
    FLAT_TARIFF,
    MOVED_IN,
    SHANGHAI,
    Household,
    assigned,
    household,
    milliwh,
    occupied,
    published,
    registered,
)

DAILY = '[[charges]]\ncomponent = "standing"\nkind = "daily"\nprice_per_day = "0.50"\n'
CAPACITY = '[[charges]]\ncomponent = "capacity"\nkind = "per-kw"\nprice_per_kw_month = "36.5"\n'
MINIMUM = '[[minimums]]\ncomponent = "least"\namount = "10"\non = ["energy"]\n'
SOCIAL = '[[allowances]]\ncomponent = "social"\namount_per_day = "1"\nmax_carried = "3"\non = ["energy"]\n'
# 617 per Wh: what FLAT_TARIFF takes for a kilowatt-hour, in micro-units.
ENERGY_MICROS = 617_000
DAY_MIN = 24 * 60


def text_with(*parts: str) -> str:
    head, taxes, rest = FLAT_TARIFF.partition("[[taxes]]")
    charges = [part for part in parts if part.startswith("[[charges]]")]
    others = [part for part in parts if not part.startswith("[[charges]]")]
    return "\n".join([head, *charges, *others, taxes + rest])


def home_on(*parts: str, measures: str = "register", occupied_at: datetime | None = MOVED_IN) -> Household:
    return household(measures=measures, text=text_with(*parts), occupied_at=occupied_at, terms_from=MOVED_IN)


def local(day: str, hour: int = 0) -> datetime:
    return datetime.fromisoformat(f"{day}T{hour:02d}:00:00").replace(tzinfo=SHANGHAI).astimezone(UTC)


def check_that_history_refolds(home: Household) -> None:
    """The counters that are kept come out again from the stored facts alone (I6)."""
    history = BilledHistory()
    for event in home.draft.events:
        history.take(event.originator_version, fact_of(event.fact.topic, stored(event).state))
    assert agrees(home.metering.state, history.counters(home.snapshot.prices_of(home.supply)))
    booked = sum(fact.amount_micros for fact in home.facts if hasattr(fact, "amount_micros"))
    assert sum(amount for span in history.spans for amount in span.amounts.values()) == booked


def test_a_tick_charges_the_whole_days_since_moving_in_and_says_how() -> None:
    """Moved in on 2 March at 16:00 in Shanghai: that day is nobody's."""
    home = home_on(DAILY)
    home.ticks("2026-03-05")
    (fact,) = home.time_charges
    assert (fact.first_date, fact.last_date) == (date(2026, 3, 3), date(2026, 3, 5))
    assert [(line.component, line.quantity, line.unit, line.amount_micros) for line in fact.lines] == [
        ("standing", "3", "day", 1_500_000)
    ]
    assert (fact.account, fact.amount_micros, fact.state.charged_to) == ("room-1-a", 1_500_000, date(2026, 3, 5))
    assert sum(posting.amount_micros for posting in fact.postings) == 0
    assert (fact.started_at, fact.ended_at) == (local("2026-03-03"), local("2026-03-06"))
    assert effective_month(fact, zone="Asia/Shanghai") == "2026-03"
    assert fact.source.local_date == date(2026, 3, 5)
    check_that_history_refolds(home)


def test_a_tick_that_comes_again_or_late_charges_nothing_twice() -> None:
    home = home_on(DAILY)
    for day in ("2026-03-04", "2026-03-04", "2026-03-07", "2026-03-05", "2026-03-07", "2026-03-08"):
        home.ticks(day)
    assert home.charged_dates == [date(2026, 3, day) for day in range(3, 9)]
    assert home.total_of("standing") == 3_000_000


def test_a_date_that_has_not_ended_by_the_messages_time_waits_for_the_next_tick() -> None:
    home = home_on(DAILY)
    home.ticks("2026-03-04", published_at=local("2026-03-05") - timedelta(microseconds=1))
    assert home.charged_dates == [date(2026, 3, 3)]
    home.ticks("2026-03-04", published_at=local("2026-03-05"))
    assert home.charged_dates == [date(2026, 3, 3), date(2026, 3, 4)]


def test_moving_in_at_midnight_makes_a_whole_day() -> None:
    home = home_on(DAILY, occupied_at=local("2026-03-10"))
    home.ticks("2026-03-10")
    assert home.charged_dates == [date(2026, 3, 10)]


def test_without_an_occupant_or_terms_nothing_is_charged_until_there_are_some() -> None:
    vacant = home_on(DAILY, occupied_at=None)
    vacant.ticks("2026-03-10")
    unpriced = household(text=text_with(DAILY), terms_from=None)
    unpriced.ticks("2026-03-10")
    assert vacant.facts == unpriced.facts == []
    unpriced.snapshot.apply(assigned(at=MOVED_IN))
    unpriced.ticks("2026-03-11")
    assert unpriced.charged_dates == [date(2026, 3, day) for day in range(3, 12)]


def test_a_tariff_with_nothing_that_time_brings_creates_no_event() -> None:
    home = household()
    home.ticks("2026-04-10")
    assert home.facts == []
    assert home.metering.version == 0


def test_a_supply_point_without_a_meter_is_charged_as_long_as_it_is_occupied() -> None:
    home = home_on(DAILY)
    for fact in (registered("room-2"), occupied("room-2"), assigned("room-2")):
        home.snapshot.apply(fact)
    home.snapshot.supplies["room-1"] = home.snapshot.supplies["room-2"]
    home.ticks("2026-03-03")
    assert [(fact.supply, fact.meter) for fact in home.time_charges] == [("room-2", "")]


def test_a_tariff_change_in_the_middle_of_a_day_holds_for_days_that_begin_after_it() -> None:
    home = home_on(DAILY)
    dearer = text_with(DAILY.replace("0.50", "2"))
    home.snapshot.apply(published(text=dearer, at=local("2026-03-05", 12), version=2))
    home.ticks("2026-03-07")
    assert [(fact.first_date.day, fact.last_date.day, fact.amount_micros) for fact in home.time_charges] == [
        (3, 5, 1_500_000),
        (6, 7, 4_000_000),
    ]
    check_that_history_refolds(home)


def test_fixed_charges_are_for_the_contracted_power_of_the_date() -> None:
    """36.5 per kW and month are 1.2 per kW and day."""
    home = home_on(CAPACITY)
    home.ticks("2026-03-03")
    assert home.facts == []
    home.snapshot.apply(assigned(at=local("2026-03-05"), contracted_w=5_500))
    home.ticks("2026-03-06")
    (fact,) = home.time_charges
    assert (fact.first_date.day, fact.last_date.day, fact.contracted_w) == (5, 6, 5_500)
    assert fact.amount_micros == 2 * 6_600_000


def test_an_allowance_is_granted_by_the_day_and_pays_for_usage_that_follows() -> None:
    home = home_on(SOCIAL)
    home.ticks("2026-03-04")
    assert home.time_charges[0].amount_micros == 0
    home.reads(10, at=3 * DAY_MIN)
    assert home.debits[0].amount_micros == 6_170_000 + 802_100 - 2_000_000
    check_that_history_refolds(home)


def test_a_period_is_closed_with_its_last_date_and_what_is_short_of_the_minimum_is_charged() -> None:
    home = home_on(DAILY, MINIMUM)
    home.reads(10, at=10 * DAY_MIN)
    home.ticks("2026-04-01")
    (closed,) = home.closings
    assert (closed.started_at, closed.ended_at) == (MOVED_IN, local("2026-04-01"))
    assert effective_month(closed, zone="Asia/Shanghai") == "2026-03"
    assert (closed.period, closed.lived_from, closed.lived_until) == ("2026-03", date(2026, 3, 2), None)
    assert {line.component: line.amount_micros for line in closed.lines} == {"least": 10_000_000 - 10 * ENERGY_MICROS}
    assert [(fact.first_date.isoformat(), fact.last_date.isoformat()) for fact in home.time_charges] == [
        ("2026-03-03", "2026-03-31"),
        ("2026-04-01", "2026-04-01"),
    ]
    check_that_history_refolds(home)


def test_usage_of_a_closed_period_that_comes_late_gives_back_what_the_minimum_took() -> None:
    home = home_on(MINIMUM, measures="interval")
    home.uses(10, between=(0, 60))
    home.ticks("2026-03-31")
    assert home.total_of("least") == 10_000_000 - 10 * ENERGY_MICROS
    home.uses(2, between=(120, 180), published_at=10**6)
    late = home.debits[-1]
    assert {line.component: line.amount_micros for line in late.lines}["least"] == -2 * ENERGY_MICROS
    assert home.total_of("least") == 10_000_000 - 12 * ENERGY_MICROS
    home.uses(100, between=(2_000, 2_600), published_at=10**6)
    assert home.total_of("least") == 0
    check_that_history_refolds(home)


def test_a_correction_in_a_closed_period_moves_the_minimum_with_it() -> None:
    home = home_on(MINIMUM, measures="interval")
    home.uses(10, between=(0, 60), quality="estimated")
    home.ticks("2026-03-31")
    home.uses(10, between=(60, 120), published_at=10**6)
    home.corrects(1, between=(0, 60))
    differences = {line.component: line.amount_micros for line in home.corrections[-1].lines}
    assert differences["energy"] == -9 * ENERGY_MICROS
    assert home.total_of("least") == 10_000_000 - 11 * ENERGY_MICROS
    assert home.metering.state.charged_to == date(2026, 3, 31)


def test_a_reading_between_two_ticks_keeps_what_is_charged() -> None:
    home = home_on(DAILY)
    home.ticks("2026-03-03")
    home.reads(1, at=2 * DAY_MIN)
    home.reads(0.5, at=2 * DAY_MIN + 15)
    home.ticks("2026-03-04")
    assert home.charged_dates == [date(2026, 3, 3), date(2026, 3, 4)]
    assert home.debits[0].opening_milliwh == milliwh(100)
    check_that_history_refolds(home)


def test_a_minimum_is_prorated_to_the_days_lived_in_when_the_tariff_says_so() -> None:
    home = home_on(MINIMUM, '[proration]\nminimum = "days"\n')
    home.ticks("2026-03-31")
    assert home.total_of("least") == 10_000_000 * 30 // 31


@pytest.mark.parametrize("terms_from", [local("2026-03-31", 16), local("2026-03-31", 10), MOVED_IN])
def test_who_moves_in_on_a_periods_last_day_has_its_minimum_whenever_the_terms_began(terms_from: datetime) -> None:
    text = text_with(DAILY, MINIMUM, '[proration]\nminimum = "days"\n')
    home = household(text=text, occupied_at=local("2026-03-31", 16), terms_from=terms_from)
    for day in ("2026-03-31", "2026-03-31", "2026-04-02"):
        home.ticks(day)
    assert home.charged_dates == [date(2026, 4, 1), date(2026, 4, 2)]
    assert [(fact.period, fact.lived_from, fact.amount_micros) for fact in home.closings] == [
        ("2026-03", date(2026, 3, 31), 322_581)
    ]
    check_that_history_refolds(home)


def test_a_period_so_old_that_its_counters_are_gone_is_closed_with_a_note_and_no_charge() -> None:
    home = home_on(MINIMUM)
    for day in (10, 40, 70, 100, 130):
        home.reads(day, at=day * DAY_MIN)
    home.ticks("2026-06-30")
    notes = {fact.period: (bool(fact.note), fact.amount_micros) for fact in home.closings}
    assert notes["2026-03"] == (True, 0)
    assert notes["2026-06"][0] is False


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Los_Angeles", "Pacific/Apia"])
def test_a_date_ends_by_the_clocks_of_the_tariffs_own_zone(zone: str) -> None:
    home = household(text=text_with(DAILY).replace("Asia/Shanghai", zone))
    home.ticks("2026-03-04", published_at=local("2026-03-05"))
    # In Los Angeles, the household moved in at midnight.
    wanted = {"Europe/Berlin": [3], "America/Los_Angeles": [2, 3], "Pacific/Apia": [3, 4]}[zone]
    assert [day.day for day in home.charged_dates] == wanted
