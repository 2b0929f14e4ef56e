"""The process `control`: decides on relays, inside the gate, and books its signed orders."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from psycopg import Connection

from ledger.domain.account import AccountCredited
from ledger.domain.event import Event
from ledger.domain.relay import LockCleared, LowBalanceWarned, OrderIssued
from ledger.store.gate import gated
from ledger.store.log import newest_of
from ledger.store.mapper import stored
from ledger.values.identity import account_stream
from ledger.values.signing import OrderSigner
from projections import picture
from projections.batching import Batching
from projections.candidates import Candidates
from projections.decide import decide
from projections.metrics import ControlMetrics, served
from projections.order import OrderBook
from projections.pace import Pace
from projections.picture import TooFarBehind
from projections.process import Work, database_now, keep_working, stop_on_signals
from projections.project import CHANNEL
from projections.settings import read_control_settings
from projections.undecided import NO_SETTINGS, undecided

log = structlog.get_logger(__name__)

# "ctrl" as an advisory lock, one per database.
LOCK = 0x6374726C

# What one transaction may decide on, and how much of the log it may read while everybody waits for the gate.
SUPPLIES_AT_ONCE = 200
READ_IN_GATE = 1_000
TRIES = 5

_IDLE_S = 1.0
_COUNT_UNDECIDED_EVERY_S = 10.0


@dataclass(slots=True)
class Control:
    """Decides page by page of candidates.

    `now` is PostgreSQL's clock: orders dated by a host that runs ahead would be refused at an edge that does not.
    """

    orders: OrderBook
    metrics: ControlMetrics = field(default_factory=ControlMetrics)
    now: Callable[[Connection[Any]], datetime] = database_now
    host_now: Callable[[], datetime] = lambda: datetime.now(UTC)
    undecided: Pace = field(default_factory=lambda: Pace(_COUNT_UNDECIDED_EVERY_S))
    page: int = SUPPLIES_AT_ONCE
    read_in_gate: int = READ_IN_GATE
    after: str = ""
    without_settings: int = 0
    candidates: Candidates = field(default_factory=Candidates)
    batching: Batching = field(default_factory=Batching)

    def begin(self, _connection: Connection[Any]) -> None:
        """Begin with the first supply."""
        self.after = ""
        self.candidates.forget()
        self.undecided.due_at_s = float("-inf")

    def turn(self, connection: Connection[Any]) -> bool:
        """Decide on the next page of candidates; tell whether there may be another."""
        now = self._told_time(connection)
        if self.undecided.is_due():
            self._count_undecided(connection, now)
        supplies = self.candidates.next_page(connection, now=now, after=self.after, limit=self.page)
        is_full = len(supplies) == self.page
        self.after = supplies[-1] if is_full else ""
        if supplies:
            self._observe(connection, self.decided(connection, supplies, now=now), now)
        return is_full

    def elected(self, is_leader: bool) -> None:
        """Take note of whether this control decides; one that stands by tells nothing of supplies."""
        self.metrics.is_leader.set(int(is_leader))
        if not is_leader:
            self.metrics.undecided.clear()

    def decided(self, connection: Connection[Any], supplies: Sequence[str], *, now: datetime) -> list[Event]:
        """Decide on these supplies at the ledger's head and return what was appended."""
        try:
            seen = picture.taken(connection, supplies=supplies, now=now)
        except TooFarBehind as error:
            self.candidates.forget()
            return self._put_off("projections-behind", str(error))
        for _ in range(TRIES):
            if not any(decide(situation, now=now) for situation in seen.situations(now=now)):
                return []
            with gated(connection) as gate:
                head = gate.head
                if head - seen.position <= self.read_in_gate:
                    # The very head: what was committed before this decision counts in it, whoever was faster.
                    picture.carried_on(connection, seen, upto=head)
                    events = self.batching.events_of(seen, self.orders, now=now)
                    gate.append([stored(event) for event in events])
                    self.candidates.expect(self.batching.put_off)
                    return events
            # Too much for the gate to wait for: read it while others write.
            picture.carried_on(connection, seen, upto=head)
        self.candidates.forget()
        return self._put_off("ledger-busy", f"the ledger grew faster than it was read, {TRIES} times over")

    def _told_time(self, connection: Connection[Any]) -> datetime:
        """Return the time, and take note of how far this host's clock is from it."""
        before = self.host_now()
        now = self.now(connection)
        middle = before + (self.host_now() - before) / 2
        self.metrics.clock_skew_seconds.set((middle - now).total_seconds())
        return now

    def _count_undecided(self, connection: Connection[Any], now: datetime) -> None:
        counts = undecided(connection, now=now)
        for reason, count in counts.items():
            self.metrics.undecided.labels(reason=reason).set(count)
        if counts[NO_SETTINGS] != self.without_settings:
            self.without_settings = counts[NO_SETTINGS]
            log.warning("supplies on sites without settings in force", supplies=self.without_settings)

    def _put_off(self, reason: str, detail: str) -> list[Event]:
        self.metrics.put_off.labels(reason=reason).inc()
        log.warning("decisions put off", reason=reason, detail=detail)
        return []

    def _observe(self, connection: Connection[Any], events: Sequence[Event], now: datetime) -> None:
        facts = [event.fact for event in events]
        self.metrics.warnings.inc(sum(isinstance(fact, LowBalanceWarned) for fact in facts))
        for fact in facts:
            if isinstance(fact, OrderIssued):
                self.metrics.orders.labels(action=fact.action).inc()
                log.info("order issued", supply=fact.supply, action=fact.action, reason=fact.reason)
        cleared = {fact.supply for fact in facts if isinstance(fact, LockCleared)}
        orders = [fact for fact in facts if isinstance(fact, OrderIssued) and fact.action == "close"]
        accounts = [account_stream(fact.account) for fact in orders if fact.supply in cleared]
        for newest in newest_of(connection, streams=accounts).values() if accounts else ():
            if isinstance(newest.fact, AccountCredited):
                latency = now - newest.fact.recorded_at
                self.metrics.top_up_to_order_seconds.observe(max(latency.total_seconds(), 0.0))


def work_of(control: Control) -> Work:
    """Return what the process does: the control's turns, woken by the projections' news."""
    return Work(
        name="control",
        lock=LOCK,
        channel=CHANNEL,
        idle_s=_IDLE_S,
        begin=control.begin,
        turn=control.turn,
        elected=control.elected,
    )


def main(environ: Mapping[str, str]) -> int:
    """Decide until SIGTERM or SIGINT. Raises InvalidValue for wrong settings, PortTaken for a port in use."""
    settings = read_control_settings(environ)
    control = Control(OrderBook(OrderSigner(settings.signing_key), settings.order_lifetime))
    work = work_of(control)
    with (
        stop_on_signals() as stop,
        served(control.metrics.registry, host=settings.metrics_host, port=settings.metrics_port, process=work.name),
    ):
        keep_working(work, url=settings.database_url, stop=stop)
    return 0
