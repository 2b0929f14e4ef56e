"""Corrections on a real ledger, without Kafka: however they come, every period ends as if right from the first.

The corrected figure may be in the same message as the estimate, batches later, or after a restart.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import psycopg
import pytest

from ledger import wire
from ledger.domain import intervals
from ledger.domain.billed import folded_counters
from ledger.domain.event import Fact
from ledger.domain.meter import ReadingHeld, UsageCorrected, UsageDebited
from ledger.domain.snapshot import Price, PricingSnapshot
from ledger.store import meter_history
from ledger.store.application import Ledger
from ledger.store.log import read_control_log, read_log
from ledger.usecases.accounts import open_account
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import MeterFacts, assign_tariff, install_meter, occupy, register_supply
from ledger.usecases.tariffs import publish_tariff
from tests.services.postgres import Database
from tests.streams.books import check_ledger, meter_histories
from tests.streams.direct import message_of, now, partition_of, pricing_applier

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
SUPPLIES = ("c1-1", "c1-2")
TARIFF = """
code = "steps"
currency = "CNY"
time_zone = "Asia/Shanghai"
billing_period = "month"
prices = "tax-exclusive"
tax_point = "supply"
[[charges]]
component = "energy"
kind = "blocks"
[[charges.blocks]]
up_to_kwh = "20"
price_per_kwh = "0.5469"
[[charges.blocks]]
price_per_kwh = "0.8469"
entry_fee = "1.5"
[[charges]]
component = "network"
kind = "blocks"
window = "year"
anchor = "02-01"
[[charges.blocks]]
up_to_kwh = "60"
price_per_kwh = "0.05"
[[charges.blocks]]
price_per_kwh = "0.31"
[[taxes]]
component = "vat"
percent = "13"
on = ["energy", "network"]
"""


@pytest.fixture
def ledger_of_intervals(database: Database) -> Database:
    return _set_up(database)


def _set_up(database: Database) -> Database:
    """Two supply points with meters of intervals, priced by blocks."""
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        publish_tariff(ledger, text=TARIFF, effective_from=SINCE, note="", now=now())
        change_site_settings(ledger, site="north", effective_from=SINCE, now=now())
        for supply in SUPPLIES:
            register_supply(ledger, supply=supply, site="north", concentrator="c1", now=now())
            meter = MeterFacts(serial=f"{supply}-m", profile="nem12", max_power_w=100_000, measures="interval")
            install_meter(ledger, supply=supply, meter=meter, installed_at=SINCE, opening_milliwh=0, now=now())
            open_account(ledger, account=f"{supply}-a", site="north", currency="CNY", now=now())
            occupy(ledger, supply=supply, account=f"{supply}-a", occupied_from=SINCE, opening_milliwh=0, now=now())
            assign_tariff(ledger, supply=supply, tariff="steps", effective_from=SINCE, now=now())
    return database


def interval(
    supply: str, hour: int, energy_milliwh: int, quality: wire.Quality = "measured", *, is_correction: bool = False
) -> wire.Reading:
    start = SINCE + timedelta(hours=hour)
    reading = wire.IntervalReading(
        meter=f"{supply}-m",
        start=start,
        end=start + timedelta(hours=1),
        import_milliwh=energy_milliwh,
        quality=quality,
        profile="nem12",
    )
    identity = intervals.identity(reading) if is_correction else None
    return wire.Reading(interval=msgspec.structs.replace(reading, supersedes=identity))


def bill(database: Database, batches: Sequence[Sequence[Sequence[wire.Reading]]], *, restarts: bool = False) -> None:
    """Apply sweeps in batches; with `restarts`, each by a worker that has just started."""
    partition, sequence = partition_of("c1"), 0
    applier = pricing_applier(database.url("wattledger_writer"))
    for batch in batches:
        if restarts:
            applier.close()
            applier = pricing_applier(database.url("wattledger_writer"))
        messages = []
        for readings in batch:
            sequence += 1
            sweep = wire.Sweep(concentrator="c1", collector="files", sequence=sequence, readings=list(readings))
            messages.append(message_of(partition, sequence - 1, wire.encode(sweep), published_at=now()))
        assert applier.apply(messages) is not None
    applier.close()


def facts_of(database: Database, supply: str) -> list[Fact]:
    with psycopg.connect(database.url()) as connection:
        facts = [entry.fact for entry in read_log(connection, after=0, limit=100_000)]
    return [
        fact
        for fact in facts
        if isinstance(fact, UsageDebited | UsageCorrected | ReadingHeld) and fact.supply == supply
    ]


def charged(facts: Sequence[Fact]) -> dict[tuple[str, str], int]:
    """What each billing period was charged on each component."""
    totals: dict[tuple[str, str], int] = {}
    for fact in facts:
        if isinstance(fact, UsageDebited):
            period = fact.state.counters.period
            rows = [(period, line.component, line.amount_micros) for line in fact.lines]
        elif isinstance(fact, UsageCorrected):
            rows = [(line.period, line.component, line.amount_micros) for line in fact.lines]
        for period, component, amount in rows:
            totals[period, component] = totals.get((period, component), 0) + amount
    return {key: amount for key, amount in totals.items() if amount}


def a_season(chance: random.Random) -> tuple[list[wire.Reading], list[wire.Reading]]:
    """Readings of both supplies with estimates that are replaced later, and the same right from the first."""
    told: list[wire.Reading] = []
    right: list[wire.Reading] = []
    pending: list[wire.Reading] = []
    for hour in range(0, 24 * 90, 24 * 3):
        for supply in SUPPLIES:
            actual = chance.randrange(8_000_000)
            right.append(interval(supply, hour, actual))
            if chance.random() < 0.5:
                told.append(interval(supply, hour, chance.randrange(9_000_000), "estimated"))
                pending.append(interval(supply, hour, actual, is_correction=True))
            else:
                told.append(interval(supply, hour, actual))
        while pending and chance.random() < 0.4:
            told.append(pending.pop(chance.randrange(len(pending))))
    chance.shuffle(pending)
    return told + pending, right


def cut(readings: Sequence[wire.Reading], chance: random.Random) -> Iterator[list[list[wire.Reading]]]:
    """Cut readings into messages and batches of any size."""
    left = list(readings)
    while left:
        batch = []
        for _ in range(chance.randint(1, 4)):
            size = chance.randint(1, 9)
            batch.append(left[:size])
            left = left[size:]
        yield [message for message in batch if message]


@pytest.mark.parametrize("seed", [1, 2])
def test_every_period_ends_as_if_the_right_figures_had_come_first(
    ledger_of_intervals: Database, twin_database: Database, seed: int
) -> None:
    told, right = a_season(random.Random(seed))
    bill(ledger_of_intervals, list(cut(told, random.Random(seed))))
    bill(_set_up(twin_database), [[right]])
    for supply in SUPPLIES:
        facts, expected = facts_of(ledger_of_intervals, supply), facts_of(twin_database, supply)
        assert any(isinstance(fact, UsageCorrected) for fact in facts)
        assert not any(isinstance(fact, ReadingHeld) for fact in facts)
        assert charged(facts) == charged(expected)
        assert getattr(facts[-1], "state", 1) == getattr(expected[-1], "state", 2)
    check_ledger(ledger_of_intervals.url())


def test_batches_and_restarts_make_no_difference(ledger_of_intervals: Database, twin_database: Database) -> None:
    told, _ = a_season(random.Random(3))
    messages = [told[first : first + 5] for first in range(0, len(told), 5)]
    bill(ledger_of_intervals, [messages])
    bill(_set_up(twin_database), [[message] for message in messages], restarts=True)
    supplies = list(SUPPLIES)
    assert meter_histories(ledger_of_intervals.url(), supplies) == meter_histories(twin_database.url(), supplies)


def prices_of(database: Database, supply: str) -> Sequence[Price]:
    snapshot = PricingSnapshot()
    with psycopg.connect(database.url()) as connection:
        for entry in read_control_log(connection, after=0):
            snapshot.apply(entry.fact)
    return snapshot.prices_of(snapshot.supplies[supply])


def test_counters_folded_from_the_stored_events_are_the_counters_kept(ledger_of_intervals: Database) -> None:
    told, _ = a_season(random.Random(4))
    bill(ledger_of_intervals, [[told]])
    for supply in SUPPLIES:
        facts = facts_of(ledger_of_intervals, supply)
        kept = facts[-1]
        assert isinstance(kept, UsageDebited | UsageCorrected)
        folded = folded_counters(enumerate(facts, 1), prices_of(ledger_of_intervals, supply))
        assert folded == kept.state.counters


def test_a_long_stream_is_read_back_page_by_page(
    ledger_of_intervals: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter_history, "_PAGE_EVENTS", 7)
    estimates = [interval("c1-1", hour, 1_000_000, "estimated") for hour in range(40)]
    hours = (38, 3, 21, 39, 0)
    corrected = [[interval("c1-1", hour, 2_000_000, is_correction=True)] for hour in hours]
    bill(ledger_of_intervals, [[estimates], corrected[:2], corrected[2:]], restarts=True)
    facts = facts_of(ledger_of_intervals, "c1-1")
    corrections = [fact for fact in facts if isinstance(fact, UsageCorrected)]
    assert [fact.debit_version for fact in corrections] == [hour + 1 for hour in hours]
    folded = folded_counters(enumerate(facts, 1), prices_of(ledger_of_intervals, "c1-1"))
    assert folded == corrections[-1].state.counters
    # 45 kWh, of January, before the year of the network's blocks that begins in February.
    energy, network = 20 * 546_900 + 25 * 846_900 + 1_500_000, 45 * 50_000
    assert charged(facts) == {
        ("2026-01", "energy"): energy,
        ("2026-01", "network"): network,
        ("2026-01", "vat"): round((energy + network) * 0.13),
    }


def test_what_names_an_unknown_reading_is_held_and_the_rest_of_the_batch_is_billed(
    ledger_of_intervals: Database,
) -> None:
    known, another = interval("c1-1", 0, 1_000_000, "estimated"), interval("c1-1", 1, 1_000_000).interval
    assert another is not None
    unknown = wire.Reading(interval=msgspec.structs.replace(another, supersedes=UUID(int=7)))
    bill(ledger_of_intervals, [[[known, unknown, interval("c1-1", 2, 1_000_000)]], [[unknown]]])
    facts = facts_of(ledger_of_intervals, "c1-1")
    assert [type(fact).__name__ for fact in facts] == ["UsageDebited", "ReadingHeld", "UsageDebited", "ReadingHeld"]


def test_a_correction_that_comes_twice_is_counted_as_superseded(ledger_of_intervals: Database) -> None:
    estimate = interval("c1-1", 0, 1_000_000, "estimated")
    actual = interval("c1-1", 0, 1_500_000, is_correction=True)
    bill(ledger_of_intervals, [[[estimate, actual, actual]], [[actual], [estimate]]], restarts=True)
    facts = facts_of(ledger_of_intervals, "c1-1")
    assert [type(fact).__name__ for fact in facts] == ["UsageDebited", "UsageCorrected"]
    with psycopg.connect(ledger_of_intervals.url()) as connection:
        row = connection.execute("SELECT superseded FROM ledger.meters_seen WHERE supply = 'c1-1'").fetchone()
    assert row == (3,)
