"""`switching`: from a top-up with consent committed to the relay's read-back confirmed, through the real processes.

Everybody is off for lack of credit; one after the other tops up. `tcp` has 100 meters behind fast concentrators,
`line` 32 meters on one line of 9,600 baud that is swept without a pause, so that each order comes in mid-sweep.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.errors import BenchmarkFailed
from benchmarks.report import Report, Row
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
from projections.latencies import top_up_to_relay_s

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


def measure(*, quick: bool) -> Report:
    """Measure both and report their quantiles."""
    report = Report("switching", "top-up with consent committed → relay read back closed")
    for name, concentrators, meters_each, is_slow in (("tcp", 4, 25, False), ("line", 1, 32, True)):
        waits = sorted(_waits(concentrators, meters_each, is_slow=is_slow, top_ups=20 if quick else 100))
        report.rows.append(
            Row(
                name,
                {
                    "meters": concentrators * meters_each,
                    "top_ups": len(waits),
                    "p50_s": waits[len(waits) // 2],
                    "p99_s": waits[min(len(waits) * 99 // 100, len(waits) - 1)],
                    "longest_s": waits[-1],
                },
            )
        )
    report.bars = ("p99, seconds", {row.name: float(row.figures["p99_s"]) for row in report.rows})
    return report


def _waits(concentrators: int, meters_each: int, *, is_slow: bool, top_ups: int) -> list[float]:
    with ExitStack() as held:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="wattledger-switching-")))
        bench = held.enter_context(standing())
        ports = [free_port() for _ in range(concentrators)]
        behind = [free_port() for _ in ports] if is_slow else ports
        edge, field = folder / "edge.toml", folder / "field.toml"
        edge.write_text(_site(ports, meters_each, poll_interval_s=1.0))
        field.write_text(_site(behind, meters_each, poll_interval_s=1.0))
        supplies = [f"S{number}" for number in range(concentrators * meters_each)]
        ledger = held.enter_context(_ledger(bench))
        state = folder / "meters.json"
        bench.stack.start_role("simulate", arguments=("--site", str(field), "--state", str(state), "--speed", "0"))
        if is_slow:
            for port, to_port in zip(ports, behind, strict=True):
                held.enter_context(slow_line(at_port=port, to_port=to_port))
        _set_up(ledger, supplies, meters_each, openings=_openings(state))
        for role in ("price", "project", "control"):
            bench.stack.start_role(role)
        bench.stack.await_healthy()
        bench.stack.start_role("collect", arguments=("--site", str(edge)))
        bench.stack.await_healthy()
        _await("everybody to be off", lambda: _count(bench, "open") == len(supplies))
        after = bench.head()
        chosen = [supplies[number % len(supplies)] for number in range(min(top_ups, len(supplies)))]
        for number, supply in enumerate(chosen, 1):
            now = datetime.now(UTC)
            top_up(
                ledger,
                account=f"of-{supply}",
                amount_micros=5_000_000,
                channel="kiosk",
                key=f"bench/{number}",
                now=now,
                consent=True,
            )
            _await(f"{supply} to be on again", _reached(bench, number))
        return top_up_to_relay_s(bench.connection, after=after)


def _reached(bench: Stand, number: int) -> Callable[[], bool]:
    return lambda: _count(bench, "closed") == number


def _count(bench: Stand, state: str) -> int:
    return bench.number(
        "SELECT count(*) FROM projections.relay WHERE actual = %s AND order_outcome = 'confirmed'", (state,)
    )


def _await(what: str, is_so: Callable[[], bool]) -> None:
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
    _await("the simulator", state.exists)
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


def _site(ports: list[int], meters_each: int, *, poll_interval_s: float) -> str:
    lines = ["[collector]", 'id = "bench"', f"poll_interval_s = {poll_interval_s}", "request_timeout_s = 2.0"]
    number = 0
    for index, port in enumerate(ports):
        lines += ["[[concentrators]]", f'id = "C{index}"', 'host = "127.0.0.1"', f"port = {port}"]
        for unit in range(1, meters_each + 1):
            lines += ["[[concentrators.meters]]", f'serial = "{_serial(number)}"', f"unit = {unit}"]
            lines += [f'supply = "S{number}"', f'profile = "{PROFILE}"']
            number += 1
    return "\n".join(lines)
