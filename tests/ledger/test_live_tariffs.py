"""Tariffs on the way of a meter's readings: cut by the calendar of the version in force, watt-hours conserved."""

from datetime import UTC, datetime
from decimal import Decimal

from ledger.domain.chart import ALLOWANCES
from ledger.domain.postings import debit_postings
from ledger.rating.lines import Line
from tests.ledger.builders import FLAT_TARIFF, MOVED_IN, household, milliwh, minutes, occupied, published
from tests.ledger.tariff_files import HOURS, block_charge, tariff_file

TIME_OF_USE = tariff_file(
    HOURS, '[[charges]]\ncomponent = "energy"\nkind = "time-of-use"\nprices = { "峰" = "1", "谷" = "0.5" }\n'
)


def test_a_reading_is_apportioned_over_the_periods_that_its_span_touches() -> None:
    """Moved in at 16:00 in Shanghai; the peak ends at 22:00."""
    home = household(text=TIME_OF_USE)
    home.reads(12, at=12 * 60)
    lines = home.debits[0].lines
    assert [(line.time_of_use, line.quantity, line.amount_micros) for line in lines] == [
        ("峰", "6.000000", 6_000_000),
        ("谷", "6.000000", 3_000_000),
    ]


def test_a_version_with_another_calendar_splits_the_span_and_loses_nothing() -> None:
    home = household(text=TIME_OF_USE)
    home.snapshot.apply(published(text=FLAT_TARIFF, at=minutes(9 * 60), version=2))
    home.reads(12, at=12 * 60)
    (debit,) = home.debits
    quantities = [(line.version, line.time_of_use, line.quantity) for line in debit.lines if line.unit == "kWh"]
    assert quantities == [(1, "峰", "6.000000"), (1, "谷", "3.000000"), (2, "", "3.000000")]
    assert debit.state.counters.energy_milliwh == milliwh(12)


def test_blocks_are_prorated_to_the_days_from_moving_in() -> None:
    """30 of March's 31 days are left on the 2nd: 30 kWh at the first price."""
    text = tariff_file(block_charge(("31", "1"), ("", "2")), '[proration]\nblocks = "days"\n')
    home = household(text=text)
    home.reads(40, at=24 * 60)
    assert [line.quantity for line in home.debits[0].lines] == ["30.000000", "10.000000"]


def test_usage_before_an_occupants_time_is_cut_where_it_begins() -> None:
    home = household()
    home.snapshot.apply(occupied(at=minutes(60)))
    assert minutes(60) in set(home.snapshot.changes_of(home.supply))


def test_what_an_allowance_pays_is_booked_on_allowances() -> None:
    lines = [
        Line("energy", "1.000000", "kWh", "1", 1_000_000, "t", 1),
        Line("social", "1", "allowance", "2", -400_000, "t", 1, allowance=True),
    ]
    postings = {posting.code: posting.amount_micros for posting in debit_postings(account="a", lines=lines)}
    assert postings[ALLOWANCES] == 400_000
    assert sum(postings.values()) == 0


def test_a_debit_at_the_years_turn_lies_in_two_months() -> None:
    home = household(text=TIME_OF_USE, occupied_at=datetime(2026, 12, 31, 15, tzinfo=UTC))
    hours = (datetime(2026, 12, 31, 17, tzinfo=UTC) - MOVED_IN).total_seconds() / 3600
    home.reads(Decimal(2), at=hours * 60)
    counters = home.debits[0].state.counters
    assert (counters.period, counters.energy_milliwh) == ("2027-01", milliwh(1))
    assert counters.others == (("2026-12", milliwh(1)),)
