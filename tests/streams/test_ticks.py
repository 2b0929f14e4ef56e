"""Ticks of the calendar on a real ledger: each supply point is charged each local date once, and it stays so."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from ledger import wire
from ledger.domain.meter import TimeChargeDebited, UsageDebited
from ledger.store.application import Ledger
from ledger.store.log import read_log
from ledger.store.ticked import ticked_to
from ledger.usecases.tariffs import Deciders, publish_tariff
from ledger.values.errors import Refused
from streams.applier import Applier
from streams.message import Message
from streams.priced import PricingDraft
from tests.estate import FLAT_TARIFF, OPENING_MILLIWH, build_estate
from tests.services.postgres import Database
from tests.streams.books import check_ledger
from tests.streams.direct import message_of, now, partition_of, pricing_applier, tick_of

DAILY_TARIFF = FLAT_TARIFF.replace(
    "[[taxes]]", '[[charges]]\ncomponent = "standing"\nkind = "daily"\nprice_per_day = "0.50"\n\n[[taxes]]'
)
OPENED_AT = datetime(2026, 3, 1, 16, tzinfo=UTC)  # 2 March, 0:00 in Shanghai


def ended(day: date, *, zone: str = "Asia/Shanghai") -> datetime:
    """The instant at which a local date ends."""
    following = day + timedelta(days=1)
    return datetime(following.year, following.month, following.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def march(day: int) -> date:
    return date(2026, 3, day)


def tick(day: date, *, offset: int, published_at: datetime | None = None, concentrator: str = "c1") -> Message:
    return tick_of(concentrator, day, offset=offset, published_at=published_at or ended(day))


@pytest.fixture
def ledger(database: Database) -> Iterator[Ledger]:
    with Ledger(url=database.url("wattledger_writer")) as opened:
        build_estate(opened, concentrators=2, meters_each=2, opened_at=OPENED_AT, tariff_text=DAILY_TARIFF)
        yield opened


@pytest.fixture
def applier(database: Database, ledger: Ledger) -> Iterator[Applier[PricingDraft]]:
    applier = pricing_applier(database.url("wattledger_writer"))
    yield applier
    applier.close()


def charged(database: Database) -> dict[str, list[date]]:
    """Every local date that each supply point was charged, in the order of the ledger."""
    dates: dict[str, list[date]] = {}
    with psycopg.connect(database.url()) as connection:
        for entry in read_log(connection, after=0, limit=100_000):
            if isinstance(fact := entry.fact, TimeChargeDebited):
                length = (fact.last_date - fact.first_date).days + 1
                dates.setdefault(fact.supply, []).extend(fact.first_date + timedelta(days=n) for n in range(length))
    return dates


def test_a_tick_charges_the_supply_points_of_its_concentrator(
    database: Database, applier: Applier[PricingDraft]
) -> None:
    applier.apply([tick(march(2), offset=0)])
    assert charged(database) == {"c1-1": [march(2)], "c1-2": [march(2)]}
    with psycopg.connect(database.url()) as connection:
        assert ticked_to(connection) == {"c1": march(2)}
    check_ledger(database.url())


def test_repeated_missing_and_reordered_ticks_charge_each_date_once(
    database: Database, applier: Applier[PricingDraft]
) -> None:
    days = [2, 2, 5, 3, 9, 9, 8, 12]
    for offset, day in enumerate(days):
        if offset % 3 == 0:
            applier.relearn()  # as after a restart: what was charged is read from the streams
        applier.apply([tick(march(day), offset=offset, published_at=ended(march(14)))])
    assert charged(database)["c1-1"] == [march(day) for day in range(2, 13)]
    with psycopg.connect(database.url()) as connection:
        assert ticked_to(connection) == {"c1": march(12)}
        row = connection.execute("SELECT applied FROM ledger.ticks").fetchone()
    assert row == (len(days),)


def test_a_tick_before_its_time_is_kept_with_its_reason_and_charges_nothing(
    database: Database, applier: Applier[PricingDraft]
) -> None:
    early = tick(march(2), offset=0, published_at=ended(march(2)) - timedelta(seconds=1))
    draft = applier.apply([early, tick(march(2), offset=1)])
    assert draft is not None
    assert [(letter.reason, letter.offset) for letter in draft.dead_letters] == [("in-the-future", 0)]
    assert "local date 2026-03-02 ends at 2026-03-02T16:00:00+00:00 at the earliest" in draft.dead_letters[0].detail
    assert charged(database)["c1-1"] == [march(2)]


def test_a_tick_for_a_concentrator_that_nobody_knows_is_kept_with_its_reason(
    applier: Applier[PricingDraft],
) -> None:
    draft = applier.apply([tick(march(2), offset=0, concentrator="c9")])
    assert draft is not None
    assert [letter.reason for letter in draft.dead_letters] == ["unknown-concentrator"]


def test_usage_that_comes_after_the_tick_goes_into_its_own_period(
    database: Database, applier: Applier[PricingDraft]
) -> None:
    register = wire.RegisterReading(
        meter="c1-1-m", read_at=ended(march(31)), import_milliwh=OPENING_MILLIWH + 3_000_000
    )
    sweep = wire.Sweep(concentrator="c1", collector="edge", sequence=1, readings=[wire.Reading(register=register)])
    late = message_of(
        partition_of("c1"), 1, wire.encode(sweep), "c1", published_at=ended(march(31)) + timedelta(hours=2)
    )
    applier.apply([tick(march(31), offset=0), late, tick(date(2026, 4, 1), offset=2)])
    with psycopg.connect(database.url()) as connection:
        facts = [entry.fact for entry in read_log(connection, after=0, limit=10_000)]
    (debit,) = [fact for fact in facts if isinstance(fact, UsageDebited)]
    assert debit.state.counters.period == "2026-03"
    assert debit.state.charged_to == march(31)
    assert charged(database)["c1-1"] == [*(march(day) for day in range(2, 32)), date(2026, 4, 1)]


def test_a_version_may_not_start_in_days_that_are_charged_already(
    ledger: Ledger, applier: Applier[PricingDraft]
) -> None:
    applier.apply([tick(march(5), offset=0)])
    dearer = DAILY_TARIFF.replace("0.50", "0.75")
    deciders = Deciders(proposed_by="li", approved_by="wang")
    with pytest.raises(Refused, match="are posted to 2026-03-05 already; let it start at 2026-03-05T16:00:00"):
        publish_tariff(ledger, text=dearer, effective_from=ended(march(4)), note="", now=now(), deciders=deciders)
    assert (
        publish_tariff(ledger, text=dearer, effective_from=ended(march(5)), note="", now=now(), deciders=deciders)
        == 2
    )
