"""An interval that was billed on an estimate, and what becomes of it when a better figure comes (issue 3, item 7)."""

from uuid import UUID

import msgspec
import pytest

from ledger.domain import chart, intervals
from ledger.domain.billed import Underivable, folded_counters
from ledger.domain.event import Posting
from ledger.domain.meter import Difference
from ledger.store.meter_history import read_history
from ledger.wire import Quality
from tests.ledger.builders import (
    FLAT_TARIFF,
    Household,
    household,
    interval_of,
    milliwh,
    minutes,
    occupied,
    published,
    tariff_text,
)

DAY = 24 * 60
_HEAD = FLAT_TARIFF.partition("[[charges]]")[0]


def block_tariff(window: str = "month") -> str:
    """1 per kWh up to 10 kWh in a window, 3 per kWh above."""
    return f"""{_HEAD}
[[charges]]
component = "energy"
kind = "blocks"
window = "{window}"

[[charges.blocks]]
up_to_kwh = "10"
price_per_kwh = "1"

[[charges.blocks]]
price_per_kwh = "3"
"""


def home_on(text: str = FLAT_TARIFF) -> Household:
    return household(measures="interval", text=text)


def hours(first: float, length: float = 1) -> tuple[float, float]:
    """A span in minutes after moving in."""
    return first * 60, (first + length) * 60


def differences(home: Household) -> dict[tuple[str, str], int]:
    return {(line.period, line.component): line.amount_micros for line in home.corrections[-1].lines}


def test_a_correction_is_one_event_that_names_what_it_corrects() -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality="estimated")
    home.uses(2, between=hours(1))
    home.corrects(0.9, between=hours(0))
    (debit, _), (fact,) = home.debits, home.corrections
    assert (fact.reading, fact.debit_version, fact.meter) == (debit.reading, 1, "room-1-m")
    assert (fact.replaced_milliwh, fact.replaced_quality) == (1_000_000, "estimated")
    assert (fact.usage_milliwh, fact.quality, fact.profile) == (900_000, "measured", "nem12")
    assert (fact.started_at, fact.ended_at, fact.rerated) == (minutes(0), minutes(60), 2)
    assert home.draft.events[-1].originator_version == home.metering.version == 3


def test_its_lines_are_the_difference_on_each_component_and_they_are_booked_balanced() -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality="estimated")
    home.corrects(0.9, between=hours(0))
    (fact,) = home.corrections
    assert fact.lines == [
        Difference("room-1-a", "2026-03", "energy", 617_000, 555_300, -61_700, "flat", 1),
        Difference("room-1-a", "2026-03", "vat", 80_210, 72_189, -8_021, "flat", 1, tax=True),
    ]
    assert fact.amount_micros == -69_721
    assert fact.postings == [
        Posting(chart.PREPAYMENT, "room-1-a", -69_721),
        Posting(chart.revenue("energy"), "", 61_700),
        Posting(chart.tax_payable("vat"), "", 8_021),
    ]


def test_only_the_counters_differ_in_the_state_after() -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality="estimated")
    home.uses(1, between=hours(2))
    before = home.metering.state
    home.corrects(0.9, between=hours(0))
    after = home.metering.state
    assert (after.billed_to, after.covered, after.account) == (before.billed_to, before.covered, before.account)
    assert (before.counters.energy_milliwh, after.counters.energy_milliwh) == (2_000_000, 1_900_000)


def test_blocks_that_shift_later_debits_are_in_the_difference() -> None:
    home = home_on(block_tariff())
    home.uses(9, between=hours(0), quality="estimated")
    home.uses(6, between=hours(1))  # 1 at 1, 5 at 3: 16.
    home.corrects(4, between=hours(0))  # Now 10 in all, all of it at 1.
    assert [debit.amount_micros for debit in home.debits] == [9_000_000, 16_000_000]
    assert differences(home) == {("2026-03", "energy"): -15_000_000}
    assert home.corrections[0].lines[0].reversed_micros == 25_000_000
    assert home.metering.state.counters.positions == {"energy": milliwh(10)}


def test_annual_blocks_shift_debits_of_later_months_which_keep_their_period() -> None:
    home = home_on(block_tariff("year"))
    home.uses(8, between=hours(0), quality="estimated")
    home.uses(2, between=hours(24 * 40))
    home.uses(5, between=hours(24 * 70))
    home.corrects(10, between=hours(0))
    assert differences(home) == {("2026-03", "energy"): 2_000_000, ("2026-04", "energy"): 4_000_000}
    assert home.metering.state.counters.period == "2026-05"


def test_each_period_ends_as_if_the_right_figure_had_come_first_when_the_estimate_straddles_both() -> None:
    home, right = home_on(block_tariff()), home_on(block_tariff())
    april = 29 * DAY + 8 * 60
    straddling = (april - 120, april + 480)
    home.uses(9, between=straddling, quality="estimated", published_at=10**6)
    home.corrects(30, between=straddling)
    right.uses(30, between=straddling, published_at=10**6)
    total = sum(line.amount_micros for debit in right.debits for line in debit.lines)
    assert home.debits[0].amount_micros + home.corrections[0].amount_micros == total
    assert {line.period for line in home.corrections[0].lines} == {"2026-03", "2026-04"}
    assert home.metering.state == right.metering.state


def test_where_what_follows_is_as_it_was_no_more_is_rated_again() -> None:
    home = home_on()
    for month in range(6):
        home.uses(1, between=hours(24 * 31 * month), quality="estimated")
        home.uses(1, between=hours(24 * 31 * month + 1))
    home.corrects(2, between=hours(0))
    assert home.corrections[0].rerated == 7  # March is kept beside April and May; in June it is forgotten.
    assert folded(home) == home.metering.state.counters


def folded(home: Household) -> object:
    events = [(event.originator_version, event.fact) for event in home.draft.events]
    return folded_counters(events, home.snapshot.prices_of(home.supply))


def test_figures_replaced_together_are_all_rated_though_what_is_between_is_as_it_was() -> None:
    home = home_on()
    for month in range(6):
        home.uses(1, between=hours(24 * 31 * month), quality="estimated")
    prices = home.snapshot.prices_of(home.supply)
    history = home.billed_intervals
    assert history.counters(prices)[0] == home.metering.state.counters
    home.corrects(2, between=hours(0))
    home.corrects(3, between=hours(24 * 31 * 5))
    for event in home.draft.events:
        history.take(event.originator_version, event.fact)
    assert history.counters(prices)[0] == home.metering.state.counters


def test_a_history_that_is_kept_takes_each_correction_once() -> None:
    home = home_on(block_tariff())
    home.uses(9, between=hours(0), quality="estimated")
    home.uses(9, between=hours(1), quality="estimated")
    history = home.billed_intervals
    for hour in (0, 1):
        home.corrects(5, between=hours(hour), billed=history)
        for event in home.draft.events:
            history.take(event.originator_version, event.fact)
    assert [[figure.energy_milliwh for figure in history.usage(number).figures] for number in range(2)] == [
        [9 * 10**6, 5 * 10**6]
    ] * 2
    assert [fact.rerated for fact in home.corrections] == [2, 1]


def test_the_difference_goes_to_the_account_that_the_debit_named() -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality="estimated")
    home.snapshot.apply(msgspec.structs.replace(occupied(at=minutes(120)), account="room-1-b"))
    home.uses(1, between=hours(3))
    home.corrects(0.5, between=hours(0))
    assert home.debits[1].account == "room-1-b"
    assert home.corrections[0].account == "room-1-a"
    assert {posting.account for posting in home.corrections[0].postings} == {"room-1-a", ""}
    assert home.metering.state.account == "room-1-b"


def test_a_second_correction_works_on_the_corrected_figure() -> None:
    home = home_on(block_tariff())
    home.uses(9, between=hours(0, 2), quality="estimated")
    home.corrects(12, between=hours(0, 2), quality="substituted")
    home.corrects(11, between=hours(0, 2))
    first, second = home.corrections
    assert (first.amount_micros, second.amount_micros) == (7_000_000, -3_000_000)
    assert (second.replaced_milliwh, second.replaced_quality, second.debit_version) == (12_000_000, "substituted", 1)


def test_the_same_correction_again_is_counted_whatever_came_since() -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality="estimated")
    home.corrects(1.2, between=hours(0), quality="substituted")
    home.corrects(1.2, between=hours(0), quality="substituted")
    home.corrects(1.1, between=hours(0))
    home.corrects(1.2, between=hours(0), quality="substituted")
    home.uses(1, between=hours(0), quality="estimated", billed=home.billed_intervals)
    assert (len(home.corrections), home.holds, home.metering.superseded) == (2, [], 3)


def test_better_quality_of_the_same_energy_is_recorded_and_moves_no_money() -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality="estimated")
    home.corrects(1, between=hours(0))
    (fact,) = home.corrections
    assert (fact.quality, fact.lines, fact.postings, fact.amount_micros, fact.rerated) == ("measured", [], [], 0, 0)
    home.corrects(2, between=hours(0), quality="substituted")
    assert home.held_for == ["conflicting"]


@pytest.mark.parametrize(
    ("billed", "said"), [("measured", "measured"), ("substituted", "estimated"), ("estimated", "unknown")]
)
def test_what_is_not_of_better_quality_is_held(billed: Quality, said: Quality) -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality=billed)
    home.corrects(2, between=hours(0), quality=said)
    assert home.held_for == ["conflicting"]
    assert f"1 kWh that were {billed} with 2 kWh that are {said}" in home.holds[0].detail
    assert home.metering.state == home.debits[0].state


@pytest.mark.parametrize("said", ["measured", "estimated"])
def test_the_same_energy_of_no_better_quality_says_nothing_new_and_is_counted(said: Quality) -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality="substituted")
    home.uses(1, between=hours(0), quality=said, billed=home.billed_intervals)
    home.corrects(1, between=hours(0), quality="unknown")
    assert (len(home.facts), home.metering.superseded) == (1, 2)


def test_without_saying_what_it_supersedes_a_better_figure_is_held() -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality="estimated")
    home.uses(2, between=hours(0), billed=home.billed_intervals)
    assert home.held_for == ["conflicting"]


@pytest.mark.parametrize("between", [hours(0), hours(5)])
def test_what_supersedes_a_reading_that_was_never_billed_is_held(between: tuple[float, float]) -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality="estimated")
    home.corrects(2, between=between, supersedes=UUID(int=7))
    assert home.held_for == ["conflicting"]
    assert "00000000-0000-0000-0000-000000000007, which was never billed here" in home.holds[0].detail


@pytest.mark.parametrize("between", [hours(0, 2), hours(1), hours(0, 0.5)])
def test_what_supersedes_a_reading_of_another_span_is_held(between: tuple[float, float]) -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality="estimated")
    home.corrects(0.5, between=between, supersedes=home.debits[0].reading)
    assert home.held_for == ["conflicting"]
    assert "a correction is of the same meter and span" in home.holds[0].detail


def test_what_supersedes_its_own_span_but_overlaps_others_is_held() -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality="estimated")
    home.corrects(2, between=hours(0, 2))
    assert home.held_for == ["overlapping"]


def test_what_supersedes_a_reading_that_never_became_money_is_billed_itself() -> None:
    home = home_on()
    home.uses(60, between=hours(0), quality="estimated")
    home.corrects(1, between=hours(0))
    assert home.held_for == ["leap"]
    assert milliwh(home.billed_kwh) == 1_000_000


def test_an_estimate_after_the_actual_changes_nothing() -> None:
    home = home_on()
    home.corrects(1, between=hours(0))
    home.uses(2, between=hours(0), quality="estimated", billed=home.billed_intervals)
    assert (milliwh(home.billed_kwh), home.held_for) == (1_000_000, ["conflicting"])


@pytest.mark.parametrize("kwh", [60, -1])
def test_a_better_figure_that_cannot_be_is_held_and_not_believed(kwh: float) -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality="estimated")
    home.corrects(kwh, between=hours(0))
    assert (len(home.holds), home.corrections) == (1, [])


def test_where_prices_were_changed_under_what_was_billed_a_correction_is_held() -> None:
    home = home_on()
    home.uses(1, between=hours(0), quality="estimated")
    home.snapshot.apply(published(text=tariff_text(price="0.7"), at=minutes(-60), version=2))
    home.corrects(2, between=hours(0))
    assert home.held_for == ["conflicting"]
    assert "the counters kept are not those" in home.holds[0].detail


def test_what_no_tariff_is_in_force_for_cannot_be_derived() -> None:
    home = home_on()
    home.uses(1, between=hours(0))
    events = [(event.originator_version, event.fact) for event in home.draft.events]
    with pytest.raises(Underivable, match="no tariff is in force"):
        folded_counters(events, home.snapshot.prices_of(home.supply)[-1:][:0])


def test_the_stream_is_read_back_no_further_than_to_the_debit_or_to_what_a_later_correction_reaches() -> None:
    home = home_on(block_tariff())
    for hour in range(10):
        home.uses(2, between=hours(hour), quality="estimated")
    assert begins(home, hour=7) == 8
    home.corrects(1, between=hours(3))  # Version 11; it keeps the counters before version 4.
    assert begins(home, hour=7) == 4
    assert begins(home, hour=2) == 3
    home.corrects(1, between=hours(5))
    assert (begins(home, hour=7), begins(home, hour=4)) == (6, 4)
    home.corrects(1, between=hours(1))
    assert (begins(home, hour=7), begins(home, hour=1), begins(home, hour=0)) == (2, 2, 1)


def begins(home: Household, *, hour: int) -> int:
    """The version at which the history begins that a correction of this hour needs; it must lead to the state."""
    events = [(event.originator_version, event.fact) for event in home.draft.events]
    reading = intervals.identity(interval_of(hours(hour), 1))
    history = read_history(None, stream=reading, version=0, newest=events, readings=[reading])  # type: ignore[arg-type]
    assert history.counters(home.snapshot.prices_of(home.supply))[0] == home.metering.state.counters
    assert history.knows(reading)
    return history.first_version
