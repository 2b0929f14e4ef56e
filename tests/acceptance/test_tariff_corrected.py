"""An estimate replaced by what was measured: the correction explains itself, a simulation takes the better figure."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from ledger import wire
from ledger.domain.intervals import identity
from ledger.domain.meter import UsageCorrected, UsageDebited
from ledger.domain.meter_life import OccupancyCorrected
from ledger.store.application import Ledger
from ledger.store.log import read_log
from ledger.usecases.accounts import open_account
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import MeterFacts, assign_tariff, install_meter, occupy, register_supply
from ledger.usecases.supply_life import move_in
from ledger.usecases.tariffs import publish_tariff
from tests.acceptance.tariff_desk import HEAD, TariffDesk
from tests.services.postgres import Database
from tests.streams.direct import message_of, partition_of, pricing_applier
from tests.streams.truth import COLLECTOR

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
STEPS = (
    HEAD.format(code="steps")
    + """
[[charges]]
component = "energy"
kind = "blocks"

[[charges.blocks]]
up_to_kwh = "10"
price_per_kwh = "0.50"

[[charges.blocks]]
price_per_kwh = "1.00"
"""
)


@pytest.fixture
def url(database: Database) -> str:
    """A supply point billed 8 estimated and 6 measured kWh; the estimate then turns out to be 4."""
    now = datetime.now(UTC)
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        publish_tariff(ledger, text=STEPS, effective_from=BEGIN - timedelta(days=1), note="first", now=now)
        change_site_settings(ledger, site="north", effective_from=BEGIN, now=now)
        register_supply(ledger, supply="room", site="north", concentrator="c1", now=now)
        meter = MeterFacts(serial="m", profile="nem12", max_power_w=100_000, measures="interval")
        install_meter(ledger, supply="room", meter=meter, installed_at=BEGIN, opening_milliwh=0, now=now)
        open_account(ledger, account="tenant", site="north", currency="CNY", now=now)
        occupy(ledger, supply="room", account="tenant", occupied_from=BEGIN, opening_milliwh=0, now=now)
        assign_tariff(ledger, supply="room", tariff="steps", effective_from=BEGIN, now=now)
    applier = pricing_applier(database.url("wattledger_writer"))
    estimate = used(8, hour=1, quality="estimated")
    readings = [estimate, used(6, hour=2), used(4, hour=1, supersedes=estimate)]
    for number, reading in enumerate(readings):
        sweep = wire.Sweep(
            concentrator="c1",
            collector=COLLECTOR,
            sequence=number + 1,
            readings=[wire.Reading(interval=reading)],
        )
        applier.apply([message_of(partition_of("c1"), number, wire.encode(sweep))])
    applier.close()
    return database.url("wattledger_finance")


def used(
    kwh: int, *, hour: int, quality: wire.Quality = "measured", supersedes: wire.IntervalReading | None = None
) -> wire.IntervalReading:
    start = BEGIN + timedelta(hours=hour)
    return wire.IntervalReading(
        meter="m",
        start=start,
        end=start + timedelta(hours=1),
        import_milliwh=kwh * 1_000_000,
        quality=quality,
        supersedes=None if supersedes is None else identity(supersedes),
    )


def positions(url: str) -> dict[str, list[int]]:
    with psycopg.connect(url) as connection:
        log = read_log(connection, after=0)
    return {
        kind.__name__: [entry.position for entry in log if isinstance(entry.fact, kind)]
        for kind in (UsageDebited, UsageCorrected)
    }


def test_debits_and_their_correction_are_explained_and_come_out_again(url: str, tmp_path: Path) -> None:
    desk = TariffDesk(tmp_path, {"WATTLEDGER_DATABASE_URL": url})
    found = positions(url)
    assert (len(found["UsageDebited"]), len(found["UsageCorrected"])) == (2, 1)
    for position in (*found["UsageDebited"], *found["UsageCorrected"]):
        told = desk.gives("explain", "tenant", str(position))
        assert told.returncode == 0, told.stdout + told.stderr
        assert "equal, counters and amounts" in told.stdout
    # 8 and 6 kWh cost 4.00 + 1.00 + 4.00, 4 and 6 kWh cost 2.00 + 3.00.
    for words in ("Correction", "8.000 kWh, quality estimated", "4.000 kWh", "-4.00", "2 debits rated again"):
        assert words in told.stdout


def test_a_simulation_takes_the_figure_in_force(url: str, tmp_path: Path) -> None:
    desk = TariffDesk(tmp_path, {"WATTLEDGER_DATABASE_URL": url})
    simulated = desk.simulated("steps@1", "--from", "2026-01-01", "--to", "2026-02-01")
    assert simulated["accounts"]["tenant"] == {
        "energy_kwh": "10.000",
        "charged": "5.00",
        "draft": "5.00",
        "change": "0.00",
        "change_percent": "0.00",
    }


def test_a_rebooking_of_a_move_told_late_is_explained_to_both(url: str, database: Database, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        open_account(ledger, account="next", site="north", currency="CNY", now=now)
        at = BEGIN + timedelta(hours=2)
        move_in(ledger, supply="room", account="next", at=at, register_milliwh=None, now=now)
    applier = pricing_applier(database.url("wattledger_writer"))
    reading = wire.Reading(interval=used(1, hour=3))
    sweep = wire.Sweep(concentrator="c1", collector=COLLECTOR, sequence=4, readings=[reading])
    applier.apply([message_of(partition_of("c1"), 3, wire.encode(sweep))])
    applier.close()
    desk = TariffDesk(tmp_path, {"WATTLEDGER_DATABASE_URL": url})
    with psycopg.connect(url) as connection:
        (rebooked,) = [e.position for e in read_log(connection, after=0) if isinstance(e.fact, OccupancyCorrected)]
    for account in ("tenant", "next"):
        told = desk.gives("explain", account, str(rebooked))
        assert told.returncode == 0, told.stdout + told.stderr
        # The 6 kWh of the third hour were the tenant's, and cost 3.00; they are the next one's first.
        for words in (
            "Rebooking",
            "instead of",
            "more for next",
            "6.000 kWh",
            "-3.00",
            "equal, counters and amounts",
        ):
            assert words in told.stdout, told.stdout
