"""The demo from beginning to end: start the whole, watch the story, freeze the meters, drain, and check the sums."""

import fcntl
import os
import re
import shutil
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from rich.console import Console
from rich.live import Live

from console.demo import estate
from console.demo.figures import DemoFigures, Latency, energy_on_registers_wh, exact_wh, quantiles
from console.demo.leaving import leave_papers
from console.demo.observer import Observer, Sight
from console.demo.screen import Story, rendered
from console.demo.script import Script
from console.demo.till import Till
from console.errors import ServiceFailed
from console.sandbox.beside import PROVIDER, start_sandbox
from console.stack import Stack
from ledger.store.application import Ledger
from ledger.store.log import head_of
from projections import queries
from projections.justify import orders_of

_LOOK_INTERVAL_S = 0.25
# Beyond the asked-for time, the story may run on until a room that went dark is lit again.
_EXTRA_S = 45.0
_DRAIN_TIMEOUT_S = 60.0

_BOOKED_WEBHOOKS = "SELECT count(*) FROM payments.deliveries WHERE provider = %s AND state = 'booked'"
_BOOKED_CHARGES = "SELECT count(*) FROM payments.charges WHERE provider = %s AND state = 'booked'"

Show = Callable[[Sight, float], None]


@dataclass(slots=True)
class Demo:
    """One run; `directory` is emptied first, so that each run tells the same story."""

    stack: Stack
    directory: Path
    console: Console
    is_live: bool

    def run(self, *, seconds: float) -> DemoFigures:
        """Play the story for so many seconds and return its figures.

        Raises ServiceFailed when a part fails, StopRequested when a stop is asked for.
        """
        self.stack.start_services()
        self._refuse_a_ledger_in_use()
        with _ledger(self.stack.database_url("wattledger_writer")) as ledger:
            self._start_roles(ledger)
        till = self._till()
        self._bind_card(till)
        opened_at = self._head()
        self._invite(till)
        with Observer(self.stack.database_url("wattledger_finance")) as observer:
            self._play(observer, till, seconds=seconds)
            self._freeze_and_drain()
            self._caught_up(observer)
            receipts = self._leave_papers(till, after=opened_at)
            return replace(self._caught_up(observer), receipts=receipts)

    @property
    def papers(self) -> Path:
        """Where receipts and a statement are left."""
        return self.directory / "papers"

    def _refuse_a_ledger_in_use(self) -> None:
        """The demo books accounts and top-ups: never beside real ones."""
        if head := self._head():
            raise ServiceFailed(f"the ledger has {head} events already; give the demo one of its own")

    def _head(self) -> int:
        with psycopg.connect(self.stack.database_url("wattledger_finance")) as connection:
            return head_of(connection)[0]

    def _till(self) -> Till:
        return Till.opened(
            port=self.stack.health_ports["serve"],
            writer_url=self.stack.database_url("wattledger_writer"),
            providers=self.stack.settings.providers,
        )

    def _bind_card(self, till: Till) -> None:
        till.bind_card(
            next(room.account for room in estate.rooms() if room.supply == estate.CARD_ROOM),
            token=estate.CARD_TOKEN,
            amount_micros=estate.CARD_MICROS,
            below_micros=estate.CARD_BELOW_MICROS,
        )

    def _invite(self, till: Till) -> None:
        """Print what works from a second terminal, as it has to be typed: no line is wrapped."""
        self.console.print(
            f"the HTTP API is at {till.address}/docs; while this runs, in a second terminal:", soft_wrap=True
        )
        for line in till.lines_to_try():
            self.console.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)

    def _leave_papers(self, till: Till, *, after: int) -> int:
        online = next(room for room in estate.rooms() if room.supply == estate.ONLINE_ROOM)
        with psycopg.connect(self.stack.database_url("wattledger_finance"), autocommit=True) as finance:
            receipts = leave_papers(till, finance, self.papers, after=after, account=online.account)
        self.console.print(f"{receipts} receipts and a statement, in both languages: {self.papers}", soft_wrap=True)
        return receipts

    @property
    def _site(self) -> Path:
        return self.directory / "site.toml"

    @property
    def _state(self) -> Path:
        return self.directory / "meters.json"

    def _start_roles(self, ledger: Ledger) -> None:
        since = datetime.now(UTC) - timedelta(seconds=1)
        estate.write_site_file(self._site)
        arguments = ("--site", str(self._site), "--speed", str(estate.SPEED), "--state", str(self._state))
        self.stack.start_role("simulate", arguments=(*arguments, "--start", estate.EVENING))
        estate.set_up(ledger, openings=estate.opening_registers(self._state), since=since)
        for role in ("price", "project", "control", "seal", "serve", "payments"):
            self.stack.start_role(role)
        start_sandbox(self.stack)
        # Meters are read once there is someone to price what they show, so that no reading waits for Faust to join.
        self.stack.await_healthy()
        self.stack.start_role("collect", arguments=("--site", str(self._site)))
        self.stack.await_healthy()

    def _play(self, observer: Observer, till: Till, *, seconds: float) -> None:
        story = Story()
        tell = (lambda _: None) if self.is_live else self.console.print
        script = Script(rooms=estate.rooms(), story=story, paying=till, tell=tell)
        deadline = time.monotonic() + seconds
        with self._shown(story) as show:
            while time.monotonic() < deadline or (not script.is_complete and time.monotonic() < deadline + _EXTRA_S):
                self.stack.supervisor.check()
                script.step(observer.sight, now=datetime.now(UTC))
                show(observer.sight, deadline - time.monotonic())
                self.stack.supervisor.stop_requested.wait(_LOOK_INTERVAL_S)

    @contextmanager
    def _shown(self, story: Story) -> Iterator[Show]:
        rooms = estate.rooms()
        if not self.is_live:
            yield lambda _sight, _remaining_s: None
            return
        first = rendered(rooms=rooms, sight=Sight(), story=story, remaining_s=0, height=self.console.height)
        with Live(first, console=self.console, refresh_per_second=4) as live:
            yield lambda sight, remaining_s: live.update(
                rendered(rooms=rooms, sight=sight, story=story, remaining_s=remaining_s, height=self.console.height)
            )

    def _freeze_and_drain(self) -> None:
        """Stop all registers for good, read every meter once more, and wait until the ledger has it all."""
        supervisor = self.stack.supervisor
        os.kill(supervisor.pid_of("simulate"), signal.SIGUSR1)
        self._await("the simulator to freeze", lambda: '"frozen": true' in self._state.read_text())
        os.kill(supervisor.pid_of("collect"), signal.SIGUSR1)
        self._await("the last sweep to be acknowledged", self._is_drained)

    def _caught_up(self, observer: Observer) -> DemoFigures:
        """Return the figures of a moment at which the read models had seen everything."""
        seen: list[DemoFigures] = []

        def has_seen_all() -> bool:
            seen.append(self._figures(observer))
            return seen[-1].lag_events == 0

        self._await("the read models to catch up", has_seen_all)
        return seen[-1]

    def _is_drained(self) -> bool:
        metrics = self._collector_metrics()
        return (
            _metric(metrics, "wattledger_polling_stopped") == 1 and _metric(metrics, "wattledger_spool_sweeps") == 0
        )

    def _collector_metrics(self) -> str:
        address = f"http://127.0.0.1:{self.stack.health_ports['collect']}/metrics"
        with urllib.request.urlopen(address, timeout=5) as answer:
            return str(answer.read().decode())

    def _await(self, what: str, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _DRAIN_TIMEOUT_S
        while not is_so():
            self.stack.supervisor.check()
            if time.monotonic() > deadline:
                raise ServiceFailed(
                    f"waited {_DRAIN_TIMEOUT_S:g} s for {what}; see the logs in {self.directory}/logs"
                )
            time.sleep(0.1)

    def _figures(self, observer: Observer) -> DemoFigures:
        with psycopg.connect(self.stack.database_url("wattledger_finance")) as connection:
            # One picture: an order's late answer may still move the ledger while this reads.
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            figures = queries.figures(connection)
            balance = queries.trial_balance(connection)
            lag_events = queries.lag_events(connection)
            protected = next(room for room in estate.rooms() if room.supply == estate.PROTECTED)
            its_balance = next(row for row in queries.balances(connection) if row.account == protected.account)
            webhooks, charges = (
                connection.execute(query, (PROVIDER,)).fetchone() for query in (_BOOKED_WEBHOOKS, _BOOKED_CHARGES)
            )
            cuts = sum(order.action == "open" for order in orders_of(connection, supply=protected.supply))
        return DemoFigures(
            readings_published=round(_metric(self._collector_metrics(), "wattledger_readings_total")),
            debits=figures.debits,
            top_ups=figures.top_ups,
            webhooks_booked=0 if webhooks is None else webhooks[0],
            automatic_top_ups=0 if charges is None else charges[0],
            receipts=0,
            disconnections_confirmed=figures.disconnections_confirmed,
            reconnections_confirmed=figures.reconnections_confirmed,
            protected_balance=f"{its_balance.balance:.4f}",
            protected_cuts=cuts,
            held_readings=figures.held_readings,
            trial_balance=str(balance.total),
            energy_on_registers_wh=energy_on_registers_wh(self._state),
            energy_billed_wh=exact_wh(int(figures.usage_milliwh)),
            energy_held_wh=exact_wh(int(figures.held_milliwh)),
            lag_events=lag_events,
            latency_s=Latency(
                reading_to_balance=quantiles(observer.reading_to_balance_s),
                top_up_to_relay=quantiles(observer.top_up_to_relay_s()),
            ),
        )


@contextmanager
def emptied(directory: Path) -> Iterator[Path]:
    """Hold the demo's directory, without what an earlier run left there.

    Raises ServiceFailed where another demo holds it, or where it cannot be made.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        lock = directory.with_suffix(".lock").open("w")
    except OSError as error:
        raise ServiceFailed(f"{directory} cannot be used ({error}); set WATTLEDGER_DIRECTORY") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ServiceFailed(
                f"another demo runs in {directory}; stop it, or set WATTLEDGER_DIRECTORY for a second one"
            ) from None
        if directory.exists():
            shutil.rmtree(directory)
        directory.mkdir()
        yield directory


@contextmanager
def _ledger(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url=url)
    try:
        yield ledger
    finally:
        ledger.close()


def _metric(text: str, name: str) -> float:
    """Sum a metric over its labels in Prometheus's text format."""
    pattern = rf"^{re.escape(name)}(?:\{{[^}}]*\}})? ([0-9.e+-]+)$"
    return sum(float(value) for value in re.findall(pattern, text, flags=re.MULTILINE))
