"""A meter with time-of-use registers, priced by blocks by period, through the real broker and worker.

What it comes to is worked out by `tariff rate`'s way, hour by hour, which no register and no stream has a part in.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from console.tariffs.explaining import explained
from console.topics import EMBEDDED_PARTITIONS, TopicLayout, create_topics
from ledger import wire
from ledger.domain.meter import ReadingHeld, UsageDebited
from ledger.domain.supply import Registers
from ledger.rating.bill import bill
from ledger.rating.rate import compile_tariff
from ledger.rating.tariff import parse_tariff
from ledger.rating.usage import Usage
from ledger.store.application import Ledger
from ledger.store.log import read_log
from ledger.usecases.accounts import open_account
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import MeterFacts, assign_tariff, install_meter, occupy, register_supply
from ledger.usecases.tariffs import publish_tariff
from tests.services.broker import KafkaBroker
from tests.services.postgres import Database
from tests.streams.books import check_ledger
from tests.streams.collector import Collector
from tests.streams.truth import COLLECTOR, Truth
from tests.streams.workers import WorkerProcess

SINCE = datetime(2026, 3, 9, 16, tzinfo=UTC)  # midnight in Shanghai
STEP = 10_000
TARIFF = """
code = "steps"
currency = "CNY"
time_zone = "Asia/Shanghai"
billing_period = "month"
prices = "tax-exclusive"
tax_point = "supply"
[[time_of_use.hours]]
period = "峰"
times = ["08:00-22:00"]
[[time_of_use.hours]]
period = "谷"
times = ["22:00-08:00"]
[[charges]]
component = "energy"
kind = "blocks"
[[charges.blocks]]
up_to_kwh = "40"
prices = { "峰" = "0.5469", "谷" = "0.2017" }
[[charges.blocks]]
prices = { "峰" = "0.8469", "谷" = "0.5017" }
entry_fee = "1.5"
[[charges]]
component = "reactive"
kind = "flat"
price_per_kvarh = "0.0131"
[[taxes]]
component = "vat"
percent = "13"
on = ["energy", "reactive"]
"""


def set_up(database: Database) -> None:
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        publish_tariff(ledger, text=TARIFF, effective_from=SINCE, note="", now=SINCE)
        change_site_settings(ledger, site="north", effective_from=SINCE, now=SINCE)
        register_supply(ledger, supply="c1-1", site="north", concentrator="c1", now=SINCE)
        meter = MeterFacts(
            serial="c1-1-m",
            profile="p",
            max_power_w=20_000,
            modulus_milliwh=10**12,
            resolution_milliwh=STEP,
            gives=("kvarh",),
        )
        install_meter(ledger, supply="c1-1", meter=meter, installed_at=SINCE, opening_milliwh=0, now=SINCE)
        open_account(ledger, account="a", site="north", currency="CNY", now=SINCE)
        occupy(
            ledger,
            supply="c1-1",
            account="a",
            occupied_from=SINCE,
            opening_milliwh=0,
            opening_registers=Registers(periods={"峰": 0, "谷": 0}, reactive_millivarh=0),
            now=SINCE,
        )
        assign_tariff(ledger, supply="c1-1", tariff="steps", effective_from=SINCE, now=SINCE)


def three_days() -> tuple[Truth, list[Usage]]:
    """Hourly sweeps, and the usage behind them."""
    totals, reactive = {"峰": 0, "谷": 0}, 0
    sweeps, usage = [], []
    for hour in range(72):
        name = "峰" if 8 <= hour % 24 < 22 else "谷"
        energy, more = (hour % 7 + 1) * 20 * STEP, (hour % 3) * 10 * STEP
        totals[name] += energy
        reactive += more
        start = SINCE + timedelta(hours=hour)
        usage.append(Usage(start, start + timedelta(hours=1), energy, reactive_millivarh=more))
        reading = wire.RegisterReading(
            meter="c1-1-m",
            read_at=start + timedelta(hours=1),
            import_milliwh=sum(totals.values()),
            periods=dict(totals),
            reactive_millivarh=reactive,
        )
        sweeps.append(
            wire.Sweep(
                concentrator="c1",
                collector=COLLECTOR,
                sequence=hour + 1,
                readings=[wire.Reading(register=reading)],
            )
        )
    return Truth(opened_at=SINCE, sweeps={"c1": sweeps}), usage


def test_a_time_of_use_meter_is_billed_by_its_registers(
    database: Database, own_broker: KafkaBroker, tmp_path: Path
) -> None:
    set_up(database)
    truth, usage = three_days()
    create_topics(bootstrap=own_broker.bootstrap, layout=TopicLayout(partitions=EMBEDDED_PARTITIONS))
    url = database.url("wattledger_writer")
    with (
        WorkerProcess(tmp_path, url=url, bootstrap=own_broker.bootstrap, name="w1"),
        Collector(truth, bootstrap=own_broker.bootstrap) as collector,
    ):
        collector.wait_for()
    check_ledger(database.url())
    with psycopg.connect(database.url()) as connection:
        log = read_log(connection, after=0, limit=10_000)
        last = [entry for entry in log if isinstance(entry.fact, UsageDebited)][-1]
        again = explained(connection, account="a", position=last.position)
    assert not [entry.fact for entry in log if isinstance(entry.fact, ReadingHeld)]
    charged: dict[tuple[str, str, str], int] = {}
    for entry in log:
        if isinstance(entry.fact, UsageDebited):
            for line in entry.fact.lines:
                key = (line.component, line.block, line.time_of_use)
                charged[key] = charged.get(key, 0) + line.amount_micros
    expected: dict[tuple[str, str, str], int] = {}
    for line in bill(compile_tariff(parse_tariff(TARIFF), version=1), usage, days=False).lines:
        key = (line.component, line.block, line.time_of_use)
        expected[key] = expected.get(key, 0) + line.amount_micros
    assert charged == expected
    assert {("energy", "1", "谷"), ("energy", "2", "峰"), ("reactive", "", "")} <= set(charged)
    assert again.differences == []
