"""The process `project`: tails the ledger's log and keeps every read model up to date."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import structlog
from psycopg import Connection

from ledger.collecting import tune_collector
from ledger.domain.meter import UsageCorrected
from ledger.store.gate import CHANNEL
from ledger.store.log import head_of
from projections.ahead import ReadAhead
from projections.catalogue import MODELS
from projections.holds import open_hold_count
from projections.metrics import RunnerMetrics, served
from projections.model import ReadModel
from projections.outline import USAGE
from projections.pace import Pace
from projections.process import Work, keep_working, sibling, stop_on_signals
from projections.project import Batch, Overtaken, project_next, register, tracked
from projections.settings import read_runner_settings

log = structlog.get_logger(__name__)

# "project" as an advisory lock, one per database.
LOCK = 0x70726F6A

# A small batch is dear: every account and code that it touches is a row to be written, once a batch. Where the
# machine is short of time, batches that shrink would make it shorter still.
_SMALLEST_BATCH = 1_000
_LARGEST_BATCH = 10_000
_TARGET_S = 1.0
_IDLE_S = 0.5
_COUNT_HOLDS_EVERY_S = 5.0


def sized(limit: int, *, taken: int, elapsed_s: float) -> int:
    """Return the next batch's limit: larger while full batches are quick, smaller when one holds its rows long."""
    if elapsed_s > _TARGET_S:
        return max(_SMALLEST_BATCH, limit // 2)
    if taken == limit and elapsed_s < _TARGET_S / 2:
        return min(_LARGEST_BATCH, limit * 2)
    return limit


@dataclass(slots=True)
class Runner:
    """Feeds read models batch by batch; `now` is the clock, for latencies only."""

    models: Sequence[ReadModel] = MODELS
    metrics: RunnerMetrics = field(default_factory=RunnerMetrics)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    limit: int = 1_000
    holds: Pace = field(default_factory=lambda: Pace(_COUNT_HOLDS_EVERY_S))
    ahead: ReadAhead | None = None

    def begin(self, connection: Connection[Any]) -> None:
        """Make sure that every read model is tracked, and read ahead from now on."""
        register(connection, models=self.models)
        self.ahead = ReadAhead(lambda: sibling(connection, name="project reading"))

    def end(self) -> None:
        """Leave what was read ahead; whoever begins again reads from the positions."""
        ahead, self.ahead = self.ahead, None
        if ahead is not None:
            ahead.close()

    def turn(self, connection: Connection[Any]) -> bool:
        """Feed one batch; tell whether there was one."""
        began = monotonic()
        try:
            batch = project_next(connection, models=self.models, limit=self.limit, ahead=self.ahead)
        except Overtaken as error:
            log.info("overtaken", detail=str(error))
            return True
        if batch is not None:
            self.limit = sized(batch.limit, taken=len(batch.events), elapsed_s=monotonic() - began)
            self._observe(batch)
        self._observe_lag(connection)
        if self.holds.is_due():
            self.metrics.open_holds.set(open_hold_count(connection))
        return batch is not None

    def _observe(self, batch: Batch) -> None:
        now = self.now()
        self.metrics.events.inc(len(batch.events))
        self.metrics.batch_size.observe(len(batch.events))
        if "balances" not in batch.models:
            return
        published = Counter(
            event.fact.source.published_at
            for event in batch.events
            if isinstance(event.fact, (*USAGE, UsageCorrected))
        )
        for published_at, readings in published.items():
            latency = now - published_at
            self.metrics.reading_to_balance.add(max(latency.total_seconds(), 0.0), readings)

    def _observe_lag(self, connection: Connection[Any]) -> None:
        # Positions first: read the other way round, a projection could seem to be ahead of the head.
        positions = tracked(connection)
        head, _ = head_of(connection)
        for model in self.models:
            self.metrics.lag_events.labels(name=model.name).set(head - positions[model.name])


def work_of(runner: Runner) -> Work:
    """Return what the process does: the runner's turns, woken by the ledger's news."""
    return Work(
        name="project",
        lock=LOCK,
        channel=CHANNEL,
        idle_s=_IDLE_S,
        begin=runner.begin,
        turn=runner.turn,
        elected=lambda is_active: runner.metrics.is_active.set(int(is_active)),
        end=runner.end,
    )


def main(environ: Mapping[str, str]) -> int:
    """Project until SIGTERM or SIGINT. Raises InvalidValue for wrong settings, PortTaken for a port in use."""
    settings = read_runner_settings(environ)
    runner = Runner()
    work = work_of(runner)
    tune_collector()
    with (
        stop_on_signals() as stop,
        served(runner.metrics.registry, host=settings.metrics_host, port=settings.metrics_port, process=work.name),
    ):
        keep_working(work, url=settings.database_url, stop=stop)
    return 0
