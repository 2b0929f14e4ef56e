"""An estate where everybody is off for lack of credit, with its real processes and simulated meters."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.errors import BenchmarkFailed
from benchmarks.slow_line import slow_line
from benchmarks.stand import Stand, standing
from console.embedded.ports import free_port
from console.installing import meter_facts
from ledger.store.application import Ledger
from ledger.usecases.accounts import top_up
from ledger.usecases.equip import SupplyPoint, equip
from ledger.usecases.sites import change_site_settings
from ledger.usecases.switching import set_switching_rules
from ledger.usecases.tariffs import publish_tariff

SITE = "bench"
PROFILE = "acrel_ddsy1352"
_TARIFF = """
code = "flat"
currency = "EUR"
time_zone = "UTC"
billing_period = "month"
prices = "tax-exclusive"
tax_point = "supply"

[[charges]]
component = "energy"
kind = "flat"
price_per_kwh = "0.01"
"""
_PATIENCE_S = 120.0
_RELAYS = "SELECT count(*) FROM projections.relay WHERE"


@dataclass(slots=True)
class DarkEstate:
    """The estate: its processes, its ledger to top up in, and where its collector's site file is."""

    bench: Stand
    ledger: Ledger
    supplies: list[str]
    edge: Path

    def top_up(self, supply: str) -> None:
        """Top the supply point's account up, its consumer consenting to being switched on."""
        top_up(
            self.ledger,
            account=f"of-{supply}",
            amount_micros=5_000_000,
            channel="kiosk",
            key=f"bench/{supply}",
            now=datetime.now(UTC),
            consent=True,
        )

    def await_on(self, supply: str) -> None:
        """Wait until the supply's relay was read back closed. Raises BenchmarkFailed after two minutes."""
        query = f"{_RELAYS} actual = 'closed' AND order_outcome = 'confirmed' AND supply = %s"
        await_that(f"{supply} to be on again", lambda: self.bench.number(query, (supply,)) == 1)

    def start_collector(self) -> None:
        """Start reading the meters."""
        self.bench.stack.start_role("collect", arguments=("--site", str(self.edge)))
        self.bench.stack.await_healthy()


@contextmanager
def dark_estate(*, concentrators: int, meters_each: int, is_slow: bool) -> Iterator[DarkEstate]:
    """Set an estate up and wait until everybody is off; `is_slow` puts lines of 9,600 baud before concentrators."""
    with ExitStack() as held:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="wattledger-switching-")))
        bench = held.enter_context(standing())
        ports = [free_port() for _ in range(concentrators)]
        behind = [free_port() for _ in ports] if is_slow else ports
        edge, field, state = folder / "edge.toml", folder / "field.toml", folder / "meters.json"
        edge.write_text(_site(ports, meters_each))
        field.write_text(_site(behind, meters_each))
        ledger = held.enter_context(_ledger(bench))
        estate = DarkEstate(bench, ledger, [f"S{number}" for number in range(concentrators * meters_each)], edge)
        bench.stack.start_role("simulate", arguments=("--site", str(field), "--state", str(state), "--speed", "0"))
        if is_slow:
            for port, to_port in zip(ports, behind, strict=True):
                held.enter_context(slow_line(at_port=port, to_port=to_port))
        _set_up(ledger, estate.supplies, meters_each, openings=_openings(state))
        for role in ("price", "project", "control"):
            bench.stack.start_role(role)
        bench.stack.await_healthy()
        estate.start_collector()
        query = f"{_RELAYS} actual = 'open' AND order_outcome = 'confirmed'"
        await_that("everybody to be off", lambda: bench.number(query) == len(estate.supplies))
        yield estate


def await_that(what: str, is_so: Callable[[], bool]) -> None:
    """Wait until something is so. Raises BenchmarkFailed after two minutes."""
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise BenchmarkFailed(f"waited {_PATIENCE_S:g} s for {what}")
        time.sleep(0.02)


@contextmanager
def _ledger(bench: Stand) -> Iterator[Ledger]:
    ledger = Ledger(url=bench.stack.database_url("wattledger_writer"))
    try:
        yield ledger
    finally:
        ledger.close()


def _openings(state: Path) -> dict[str, int]:
    await_that("the simulator", state.exists)
    meters = json.loads(state.read_text())["meters"]
    return {serial: int(meter["opening_milliwh"]) for serial, meter in meters.items()}


def _set_up(ledger: Ledger, supplies: list[str], meters_each: int, *, openings: dict[str, int]) -> None:
    now = datetime.now(UTC)
    since = now - timedelta(seconds=1)
    change_site_settings(ledger, site=SITE, reconnection="confirm", effective_from=since, now=now)
    rules = {"warning_lead_s": 0, "least_on_s": 0, "batch_least": 100_000}
    set_switching_rules(ledger, site=SITE, effective_from=since, operator="bench", now=now, **rules)
    publish_tariff(ledger, text=_TARIFF, effective_from=since, note="bench", now=now)
    for number, supply in enumerate(supplies):
        point = SupplyPoint(
            supply=supply,
            site=SITE,
            concentrator=f"C{number // meters_each}",
            meter=meter_facts(serial=_serial(number), profile=PROFILE, max_power_w=20_000),
            account=f"of-{supply}",
            currency="EUR",
            tariff="flat",
            opening_milliwh=openings[_serial(number)],
            since=since,
        )
        for _ in equip(ledger, point, now=now):
            pass


def _serial(number: int) -> str:
    return f"{400_000_000_000 + number}"


def _site(ports: list[int], meters_each: int) -> str:
    lines = ["[collector]", 'id = "bench"', "poll_interval_s = 1.0", "request_timeout_s = 2.0"]
    number = 0
    for index, port in enumerate(ports):
        lines += ["[[concentrators]]", f'id = "C{index}"', 'host = "127.0.0.1"', f"port = {port}"]
        for unit in range(1, meters_each + 1):
            lines += ["[[concentrators.meters]]", f'serial = "{_serial(number)}"', f"unit = {unit}"]
            lines += [f'supply = "S{number}"', f'profile = "{PROFILE}"']
            number += 1
    return "\n".join(lines)
