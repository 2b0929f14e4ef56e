"""A supply point's life on a real ledger: told by use cases, settled by pricing, whatever worker does it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ledger import wire
from ledger.domain.event import Fact
from ledger.domain.meter import ReadingHeld, UsageDebited, state_of
from ledger.domain.meter_life import HoldSettled, OccupancyClosed, OccupancyCorrected
from ledger.store.application import Ledger
from ledger.store.log import read_log
from ledger.usecases.accounts import open_account
from ledger.usecases.holds import resolve_hold
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import MeterFacts
from ledger.usecases.supply_life import (
    change_concentrator,
    change_multiplier,
    exchange_meter,
    move_in,
    move_out,
    reinstall_meter,
    remove_meter,
)
from ledger.values.errors import InvalidValue, NotFound, Refused
from tests.estate import OPENING_MILLIWH, build_estate
from tests.services.postgres import Database
from tests.streams.books import check_ledger, meter_histories
from tests.streams.direct import message_of, now, partition_of, pricing_applier

SINCE = datetime(2026, 3, 2, tzinfo=UTC)
NEW = MeterFacts(serial="new", profile="acrel_ddsy1352", max_power_w=100_000_000)


def at(minute: float) -> datetime:
    return SINCE + timedelta(minutes=minute)


class Site:
    """Supply point `c1-1` and its neighbour `c2-1` behind another concentrator, and a collector for each."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self.database = database
        self.ledger = ledger
        self.applier = pricing_applier(database.url("wattledger_writer"))
        self.sequences: dict[str, int] = {}

    def reads(self, kwh: float, *, minute: float, meter: str = "c1-1-m", concentrator: str = "c1") -> None:
        """Take in a register reading, in kilowatt-hours above the first register."""
        milliwh = OPENING_MILLIWH + int(kwh * 1_000_000)
        register = wire.RegisterReading(meter=meter, read_at=at(minute), import_milliwh=milliwh)
        sequence = self.sequences[concentrator] = self.sequences.get(concentrator, 0) + 1
        sweep = wire.Sweep(
            concentrator=concentrator,
            collector="edge",
            sequence=sequence,
            readings=[wire.Reading(register=register)],
        )
        message = message_of(
            partition_of(concentrator), sequence - 1, wire.encode(sweep), key=concentrator, published_at=at(minute)
        )
        assert self.applier.apply([message]) is not None

    def restarts(self) -> None:
        self.applier.close()
        self.applier = pricing_applier(self.database.url("wattledger_writer"))

    def facts(self, supply: str = "c1-1") -> list[Fact]:
        with psycopg.connect(self.database.url()) as connection:
            entries = read_log(connection, after=0, limit=100_000)
        return [
            e.fact for e in entries if e.fact.topic.startswith("meter.") and getattr(e.fact, "supply", "") == supply
        ]

    def milliwh(self) -> dict[str, int]:
        """What each account was billed."""
        totals: dict[str, int] = {}
        for fact in self.facts():
            if isinstance(fact, UsageDebited):
                totals[fact.account] = totals.get(fact.account, 0) + fact.usage_milliwh
            elif isinstance(fact, OccupancyCorrected):
                for account, change in fact.usages:
                    totals[account] = totals.get(account, 0) + change
        return totals

    def hold(self) -> int:
        """The position of the newest held reading."""
        with psycopg.connect(self.database.url()) as connection:
            entries = read_log(connection, after=0, limit=100_000)
        return max(entry.position for entry in entries if isinstance(entry.fact, ReadingHeld))


@pytest.fixture
def site(database: Database) -> Iterator[Site]:
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        yield _built(database, ledger)


def _built(database: Database, ledger: Ledger) -> Site:
    build_estate(ledger, concentrators=2, meters_each=1, opened_at=SINCE)
    for account in ("landlord", "next"):
        open_account(ledger, account=account, site="north", currency="CNY", now=now())
    change_site_settings(ledger, site="north", effective_from=SINCE, landlord="landlord", now=now())
    return Site(database, ledger)


def test_a_move_typed_in_the_evening_is_booked_as_if_it_had_been_known(
    database: Database, twin_database: Database
) -> None:
    states = []
    for place, is_known in ((database, True), (twin_database, False)):
        with Ledger(url=place.url("wattledger_writer")) as ledger:
            site = _built(place, ledger)
            site.reads(1, minute=10)
            if is_known:
                move_out(ledger, supply="c1-1", at=at(15), register_milliwh=OPENING_MILLIWH + 1_700_000, now=now())
            for minute in range(20, 60):
                site.reads(minute / 10, minute=minute)
            if not is_known:
                move_out(ledger, supply="c1-1", at=at(15), register_milliwh=OPENING_MILLIWH + 1_700_000, now=now())
                site.restarts()
            site.reads(6, minute=60)
            states.append(state_of(site.facts()[-1]))
            assert site.milliwh() == {"c1-1-a": 1_700_000, "landlord": 4_300_000}
            assert [fact.successor for fact in site.facts() if isinstance(fact, OccupancyClosed)] == ["landlord"]
            site.applier.close()
        check_ledger(place.url())
    known, late = states
    assert (known.counters, known.former) == (late.counters, late.former)
    assert known.account == late.account == "landlord"


def test_a_worker_that_settles_after_a_restart_books_what_another_would_have_booked(
    database: Database, twin_database: Database
) -> None:
    for place, is_restarting in ((database, False), (twin_database, True)):
        with Ledger(url=place.url("wattledger_writer")) as ledger:
            site = _built(place, ledger)
            for step in _a_life(site, ledger):
                step()
                if is_restarting:
                    site.restarts()
            assert site.milliwh() == {"c1-1-a": 3_000_000, "next": 20_500_000}
            site.applier.close()
    assert meter_histories(database.url(), ["c1-1"]) == meter_histories(twin_database.url(), ["c1-1"])


def _a_life(site: Site, ledger: Ledger) -> list[Callable[[], object]]:
    """A move that nobody read a register at, an exchange before it, and a multiplier after it."""
    return [
        lambda: site.reads(1, minute=10),
        lambda: move_in(ledger, supply="c1-1", account="next", at=at(40), register_milliwh=None, now=now()),
        lambda: site.reads(2, minute=20),
        lambda: exchange_meter(
            ledger,
            supply="c1-1",
            meter=NEW,
            at=at(30),
            closing_milliwh=OPENING_MILLIWH + 2_500_000,
            opening_milliwh=OPENING_MILLIWH,
            now=now(),
        ),
        lambda: site.reads(1, minute=50, meter="new"),
        lambda: change_multiplier(
            ledger,
            supply="c1-1",
            multiplier="40",
            at=at(55),
            register_milliwh=OPENING_MILLIWH + 1_000_000,
            now=now(),
        ),
        lambda: site.reads(1.5, minute=60, meter="new"),
    ]


def test_what_was_on_its_way_from_the_old_concentrator_is_taken_in_by_the_new_ones_owner(site: Site) -> None:
    site.reads(1, minute=10)
    change_concentrator(site.ledger, supply="c1-1", concentrator="c2", now=now())
    site.reads(2, minute=20)
    site.reads(3, minute=30)
    assert site.milliwh() == {"c1-1-a": 1_000_000}
    site.reads(4, minute=40, concentrator="c2")
    debits = [fact for fact in site.facts() if isinstance(fact, UsageDebited)]
    assert [(debit.ended_at, debit.usage_milliwh) for debit in debits] == [
        (at(minute), 1_000_000) for minute in (10, 20, 30, 40)
    ]
    with psycopg.connect(site.database.url()) as connection:
        rows = connection.execute("SELECT count(*), count(taken_at) FROM ledger.stray_readings").fetchall()
    assert rows == [(2, 2)]
    change_concentrator(site.ledger, supply="c1-1", concentrator="c1", now=now())
    site.reads(5, minute=50)
    site.reads(6, minute=60)
    assert site.milliwh() == {"c1-1-a": 6_000_000}


def test_a_released_reading_is_billed_once_and_told_so(site: Site) -> None:
    site.reads(1, minute=10)
    site.reads(100_000, minute=11)
    site.reads(100_001, minute=12)
    fact = resolve_hold(
        site.ledger, position=site.hold(), resolution="release", operator="op-7", reason="seen-on-site", now=now()
    )
    assert fact.import_milliwh == OPENING_MILLIWH + 100_000_000_000
    site.reads(100_002, minute=13)
    assert [type(fact).__name__ for fact in site.facts()] == [
        "UsageDebited",
        "ReadingHeld",
        "UsageDebited",
        "HoldSettled",
        "UsageDebited",
    ]
    assert site.milliwh() == {"c1-1-a": 100_002_000_000}
    with pytest.raises(Refused, match="was decided on by op-7: release, seen-on-site"):
        resolve_hold(site.ledger, position=site.hold(), resolution="dismiss", operator="op-7", reason="no", now=now())


def test_a_dismissed_leap_is_no_money_and_does_not_become_believable(site: Site) -> None:
    site.reads(1, minute=10)
    site.reads(100_000, minute=11)
    resolve_hold(
        site.ledger, position=site.hold(), resolution="dismiss", operator="op-7", reason="wrong-meter", now=now()
    )
    site.reads(100_000, minute=60 * 24)
    assert site.milliwh() == {"c1-1-a": 1_000_000}
    assert [fact.outcome for fact in site.facts() if isinstance(fact, HoldSettled)] == ["dismissed"]
    site.reads(2, minute=60 * 24 + 1)
    assert site.milliwh() == {"c1-1-a": 2_000_000}


def test_a_release_of_what_is_billed_by_now_changes_nothing_and_says_so(site: Site) -> None:
    site.reads(1, minute=10)
    site.reads(100_000, minute=11)
    site.reads(2, minute=12)
    resolve_hold(
        site.ledger, position=site.hold(), resolution="release", operator="op-7", reason="seen-on-site", now=now()
    )
    site.reads(3, minute=13)
    [settled] = [fact for fact in site.facts() if isinstance(fact, HoldSettled)]
    assert settled.outcome == "nothing"
    assert "by a later register" in settled.detail
    assert site.milliwh() == {"c1-1-a": 3_000_000}


def test_an_exchange_before_what_is_billed_is_refused_with_the_instant(site: Site) -> None:
    site.reads(1, minute=10)
    with pytest.raises(Refused, match=r"is billed to 2026-03-02T00:10:00\+00:00 already"):
        exchange_meter(
            site.ledger,
            supply="c1-1",
            meter=NEW,
            at=at(5),
            closing_milliwh=OPENING_MILLIWH,
            opening_milliwh=0,
            now=now(),
        )


def test_a_serial_that_measures_another_supply_point_is_refused(site: Site) -> None:
    taken = MeterFacts(serial="c2-1-m", profile="acrel_ddsy1352", max_power_w=1_000)
    with pytest.raises(Refused, match="is installed already, and differently"):
        exchange_meter(
            site.ledger,
            supply="c1-1",
            meter=taken,
            at=at(5),
            closing_milliwh=OPENING_MILLIWH,
            opening_milliwh=0,
            now=now(),
        )


def test_a_removed_meters_readings_are_strays_and_nobody_is_billed(site: Site) -> None:
    remove_meter(site.ledger, supply="c1-1", at=at(10), closing_milliwh=OPENING_MILLIWH + 1_000_000, now=now())
    site.reads(5, minute=20)
    with psycopg.connect(site.database.url()) as connection:
        rows = connection.execute("SELECT meter, reason FROM ledger.stray_readings").fetchall()
    assert rows == [("c1-1-m", "not-installed")]
    assert site.milliwh() == {}


def test_a_removed_meter_is_installed_again_and_a_third_time_elsewhere(site: Site) -> None:
    old = MeterFacts(serial="c1-1-m", profile="acrel_ddsy1352", max_power_w=100_000_000)

    def installs(supply: str, minute: float) -> int:
        return reinstall_meter(
            site.ledger, supply=supply, meter=old, at=at(minute), opening_milliwh=OPENING_MILLIWH, now=at(90)
        )

    remove_meter(site.ledger, supply="c1-1", at=at(10), closing_milliwh=None, now=at(90))
    remove_meter(site.ledger, supply="c2-1", at=at(10), closing_milliwh=None, now=at(90))
    with pytest.raises(Refused, match=r"is installed already, and differently.*tell of its removal there first"):
        installs("c2-1", minute=10 - 1e-3)
    again = installs("c1-1", minute=20)
    assert installs("c1-1", minute=20) == again, "the same again has one effect"
    with pytest.raises(Refused, match="supply was 'c1-1', is 'c2-1'"):
        installs("c2-1", minute=30)
    site.reads(3, minute=60)
    assert site.milliwh() == {"c1-1-a": 3_000_000}
    remove_meter(site.ledger, supply="c1-1", at=at(70), closing_milliwh=None, now=at(90))
    installs("c2-1", minute=80)
    site.reads(4, minute=90, concentrator="c2")
    debits = [fact for fact in site.facts("c2-1") if isinstance(fact, UsageDebited)]
    assert [(fact.meter, fact.usage_milliwh) for fact in debits] == [("c1-1-m", 4_000_000)]


@pytest.mark.parametrize(
    ("minute", "register", "error", "message"),
    [
        (-5, None, Refused, "give a later instant"),
        (10, -1, InvalidValue, "is outside 0 to"),
    ],
)
def test_a_move_that_cannot_be_is_refused_and_says_why(
    site: Site, minute: int, register: int | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        move_out(site.ledger, supply="c1-1", at=at(minute), register_milliwh=register, now=now())


def test_nobody_is_moved_where_there_is_no_account_or_no_supply_point(site: Site) -> None:
    with pytest.raises(NotFound, match="there is no account 'nobody'"):
        move_in(site.ledger, supply="c1-1", account="nobody", at=at(5), register_milliwh=None, now=now())
    with pytest.raises(NotFound, match="there is no supply point 'nowhere'"):
        move_out(site.ledger, supply="nowhere", at=at(5), register_milliwh=None, now=now())


def test_a_multiplier_that_would_lose_energy_at_a_rollover_are_refused(site: Site) -> None:
    with pytest.raises(InvalidValue, match="is no whole number of mWh"):
        change_multiplier(
            site.ledger, supply="c1-1", multiplier="200/7", at=at(10), register_milliwh=OPENING_MILLIWH, now=now()
        )
    with pytest.raises(InvalidValue, match="multiplier 'forty' is no number"):
        change_multiplier(
            site.ledger, supply="c1-1", multiplier="forty", at=at(10), register_milliwh=OPENING_MILLIWH, now=now()
        )
