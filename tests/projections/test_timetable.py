"""A dormitory by its timetable: off at night and on in the morning by itself, and who is left alone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from typer.testing import CliRunner

from console.cli import make_app
from ledger.domain.local_hours import WEEKDAYS, LocalHours
from ledger.domain.protection import SupplyProtected
from ledger.domain.timetable import Timetable, TimetableSet
from ledger.store.application import Ledger
from ledger.usecases.relays import force_on, set_lock
from projections.justify import justified
from tests.projections.builders import SITE, START, Story, concluded, settings_changed
from tests.projections.conftest import Project
from tests.projections.estate import LIFETIME, Estate
from tests.services.postgres import Database

# Start is at 06:00, and control begins at 07:00.
OFF_FROM, ON_FROM = START + timedelta(hours=16), START + timedelta(hours=24)
NIGHTS = Timetable(zone="UTC", off=(LocalHours(WEEKDAYS, 22 * 60, 6 * 60),))
Night = Callable[[datetime], None]


@pytest.fixture
def dormitory(story: Story) -> Story:
    """Two rooms with plenty of credit that are off from 22:00 to 06:00."""
    story.tell(settings_changed(reconnection="confirm"))
    for room in ("room-1", "room-2"):
        story.move_in(room, f"of-{room}", credit_micros=90_000_000)
    story.tell(timetable_set(NIGHTS))
    return story


def timetable_set(timetable: Timetable | None, **whose: str) -> TimetableSet:
    return TimetableSet(
        site=SITE, effective_from=START, timetable=timetable, operator="ana", recorded_at=START, **whose
    )


@pytest.fixture
def at(story: Story, estate: Estate, project: Project) -> Night:
    """Lets it be an instant, with all that control decides by then carried out."""

    def go_to(instant: datetime) -> None:
        estate.now = instant
        for _ in range(2):
            project()
            estate.decide()
            for room in ("room-1", "room-2"):
                relay = estate.relay(room)
                if relay.order is not None and relay.order_outcome is None:
                    story.tell(concluded(relay.order, "confirmed", at=instant))
            project()

    return go_to


def is_off(estate: Estate, room: str = "room-1") -> bool:
    return estate.relay(room).desired == "open"


def test_rooms_are_off_at_night_and_come_back_in_the_morning_without_anybody_s_consent(
    dormitory: Story, estate: Estate, at: Night, finance: Connection[object]
) -> None:
    seen = []
    minute = timedelta(minutes=1)
    for instant in (OFF_FROM - minute, OFF_FROM, ON_FROM - minute, ON_FROM, ON_FROM + minute):
        at(instant)
        seen.append(is_off(estate))
    assert seen == [False, True, True, False, False]
    assert estate.kinds("room-1") == [
        "lock-set timetable",
        "order-issued open",
        "order-concluded",
        "lock-cleared timetable",
        "order-issued close",
        "order-concluded",
    ]
    assert estate.order("room-1").reason == "timetable"
    assert all(justified(finance, supply="room-1", sequence=sequence).holds for sequence in (2, 5))


def test_an_order_by_the_timetable_does_not_outlive_its_time(dormitory: Story, estate: Estate, at: Night) -> None:
    at(ON_FROM - LIFETIME / 2)
    assert estate.order("room-1").expires_at == ON_FROM


def test_what_was_off_before_stays_off_in_the_morning(dormitory: Story, estate: Estate, at: Night) -> None:
    with Ledger(url=dormitory.url) as ledger:
        set_lock(ledger, supply="room-1", reason="works", operator="ana", now=estate.now)
    for instant in (OFF_FROM, ON_FROM):
        at(instant)
    assert (is_off(estate, "room-1"), is_off(estate, "room-2")) == (True, False)
    assert estate.relay("room-1").locks == {"operator"}


def test_who_is_protected_forced_on_or_excepted_is_not_switched_off(
    dormitory: Story, estate: Estate, at: Night
) -> None:
    dormitory.tell(
        SupplyProtected(
            supply="room-2",
            category="life-support",
            evidence="doc-1",
            review_on=START.date() + timedelta(days=30),
            operator="li",
            recorded_at=START,
        )
    )
    with Ledger(url=dormitory.url) as ledger:
        force_on(ledger, supply="room-1", reason="exams", operator="ana", until=ON_FROM, now=estate.now)
    at(OFF_FROM)
    assert (is_off(estate, "room-1"), is_off(estate, "room-2")) == (False, False)


def test_a_room_with_a_timetable_of_its_own_goes_by_that(dormitory: Story, estate: Estate, at: Night) -> None:
    dormitory.tell(timetable_set(Timetable(zone="UTC", off=()), supply="room-2"))
    at(OFF_FROM)
    assert (is_off(estate, "room-1"), is_off(estate, "room-2")) == (True, False)
    dormitory.tell(timetable_set(None, supply="room-2"))
    at(OFF_FROM + timedelta(minutes=1))
    assert is_off(estate, "room-2")


def test_operators_set_and_see_it(
    dormitory: Story, estate: Estate, at: Night, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database.url("wattledger_writer"))
    monkeypatch.setenv("WATTLEDGER_OPERATOR", "li")

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(make_app(), ["site", "timetable", *arguments])

    file = tmp_path / "nights.toml"
    file.write_text('zone = "UTC"\n[[off]]\ndays = ["every-day"]\ntimes = ["22:00-06:00"]\n')
    assert "is good" in run("check", str(file)).output
    assert "it stands like this already" in run("set", SITE, str(file)).output
    assert "timetable of class warden: set from" in run("set", SITE, str(file), "--class", "warden").output
    assert "no supply point 'room-9'" in str(run("set", SITE, str(file), "--supply", "room-9").exception)
    at(OFF_FROM)
    told = run("show", SITE).output
    assert 'times = ["22:00-06:00"]' in told
    assert "# off by a timetable now: room-1, room-2" in told
    assert "withdrawn from" in run("withdraw", SITE, "--class", "warden").output
