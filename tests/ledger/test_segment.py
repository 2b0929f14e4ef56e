"""Usage is apportioned once, cut at every local midnight, and not a milliwatt-hour is lost (I4)."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rating.segment import period_of, segment

ZONES = [
    ZoneInfo(name)
    for name in (
        "Asia/Shanghai",
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "America/Sao_Paulo",
        "America/Havana",
        "Pacific/Apia",
        "Asia/Kathmandu",
        "UTC",
    )
]
zones = st.sampled_from(ZONES)
# Daylight saving was in force somewhere in all of these years; Apia skipped 30 December 2011.
instants = st.datetimes(datetime(2005, 1, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001
    lambda local: local.replace(tzinfo=UTC)
)
energies = st.integers(0, 10**13)


def _days_begun(start: datetime, end: datetime, zone: ZoneInfo) -> int:
    """Count the local days that begin inside (start, end), by their dates; Apia went without one of them."""
    first, last = start.astimezone(zone).date(), (end - timedelta(microseconds=1)).astimezone(zone).date()
    skipped = zone.key == "Pacific/Apia" and first < date(2011, 12, 30) < last
    return (last - first).days - (1 if skipped else 0)


@given(instants, st.timedeltas(timedelta(seconds=1), timedelta(days=20)), energies, zones, st.lists(instants))
def test_atoms_are_contiguous_and_conserve_every_milliwatt_hour(
    start: datetime, length: timedelta, energy_milliwh: int, zone: ZoneInfo, changes: list[datetime]
) -> None:
    end = start + length
    inside = [*changes, start + length / 3]
    atoms = segment(start=start, end=end, energy_milliwh=energy_milliwh, zone=zone, changes=inside)
    assert atoms[0].start == start
    assert atoms[-1].end == end
    assert all(one.end == next_.start for one, next_ in pairwise(atoms))
    assert all(atom.start < atom.end for atom in atoms)
    assert all(atom.energy_milliwh >= 0 for atom in atoms)
    assert sum(atom.energy_milliwh for atom in atoms) == energy_milliwh


@given(instants, st.timedeltas(timedelta(seconds=1), timedelta(days=20)), zones)
def test_no_atom_spans_a_local_midnight_and_none_is_cut_elsewhere(
    start: datetime, length: timedelta, zone: ZoneInfo
) -> None:
    end = start + length
    atoms = segment(start=start, end=end, energy_milliwh=1, zone=zone)
    for atom in atoms:
        last_moment = atom.end - timedelta(microseconds=1)
        assert atom.start.astimezone(zone).date() == last_moment.astimezone(zone).date()
        assert atom.period == period_of(last_moment, zone)
    assert len(atoms) == _days_begun(start, end, zone) + 1


@given(instants, st.timedeltas(timedelta(seconds=3), timedelta(days=3)), energies, zones, st.data())
def test_where_else_a_span_is_cut_changes_no_days_share(
    start: datetime, length: timedelta, energy_milliwh: int, zone: ZoneInfo, data: st.DataObject
) -> None:
    end = start + length
    change = start + timedelta(microseconds=data.draw(st.integers(1, length // timedelta(microseconds=1) - 1)))
    plain = segment(start=start, end=end, energy_milliwh=energy_milliwh, zone=zone)
    cut = segment(start=start, end=end, energy_milliwh=energy_milliwh, zone=zone, changes=[change])
    for atom in plain:
        share = [piece.energy_milliwh for piece in cut if atom.start <= piece.start < atom.end]
        assert sum(share) == atom.energy_milliwh


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 7, 1), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),
        ("America/Sao_Paulo", date(2018, 2, 17), 25),
        ("Asia/Shanghai", date(2026, 7, 1), 24),
    ],
)
def test_a_day_is_as_long_as_its_clocks_make_it(zone: str, day: date, hours: float) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    atoms = segment(
        start=noon - timedelta(days=2),
        end=noon + timedelta(days=2),
        energy_milliwh=96_000_000,
        zone=ZoneInfo(zone),
    )
    (today,) = [atom for atom in atoms if atom.start <= noon < atom.end]
    assert (today.end - today.start) == timedelta(hours=hours)
    assert abs(today.energy_milliwh - hours * 1_000_000) <= 1


def test_where_clocks_skip_midnight_the_day_begins_after_the_gap() -> None:
    zone = ZoneInfo("America/Sao_Paulo")
    start = datetime(2018, 11, 4, 0, tzinfo=UTC)
    (_, today) = segment(start=start, end=start + timedelta(hours=9), energy_milliwh=9, zone=zone)
    assert today.start == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert today.start.astimezone(zone).hour == 1


def test_a_month_ends_at_local_midnight_not_at_midnight_in_utc() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    start = datetime(2026, 3, 31, 15, tzinfo=UTC)
    atoms = segment(start=start, end=start + timedelta(hours=2), energy_milliwh=200, zone=zone)
    assert [(atom.period, atom.energy_milliwh) for atom in atoms] == [("2026-03", 100), ("2026-04", 100)]


def test_a_span_of_no_length_keeps_its_energy_in_one_atom() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    (atom,) = segment(start=at, end=at, energy_milliwh=7, zone=ZoneInfo("UTC"))
    assert (atom.start, atom.end, atom.energy_milliwh) == (at, at, 7)
