"""The Faust app: its topics and agents, and where its partitions begin. No exception leaves an agent."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import faust
import structlog
from faust.types import TP
from psycopg import Connection

from ledger import wire
from ledger.store.applied import Partition
from streams import metrics
from streams.acks import AckSender
from streams.applier import LOST, Applier
from streams.assignment import awaited_positions, cluster_id, verify_log
from streams.connecting import connected
from streams.consumer import LedgerApp
from streams.errors import StreamError
from streams.message import Message, time_of
from streams.pipeline import Pipeline
from streams.priced import PricingDraft
from streams.pricing import PricingDrafter
from streams.results import ResultsDraft, ResultsDrafter
from streams.seeking import SeekBack
from streams.settings import Settings

log = structlog.get_logger()

D = TypeVar("D")

# An exit code of its own, so that a supervisor's log tells a deliberate end from a crash.
EXIT_CANNOT_GO_ON = 70


def end_process(reason: BaseException) -> None:
    """End this process at once: what is not committed is not lost, what is would be doubled by going on."""
    log.critical("the worker cannot go on and ends", error=str(reason), kind=type(reason).__name__, exc_info=reason)
    os._exit(EXIT_CANNOT_GO_ON)


class Worker:
    """The pricing worker's parts, put together: one applier and one thread per topic."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cluster = settings.cluster
        self._seek_backs: list[SeekBack] = []
        self._pipelines: list[Pipeline[Any]] = []
        self._landings: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.is_ready = asyncio.Event()
        self.acks = AckSender(settings)
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._drafter = PricingDrafter(clock=_now)
        self.pricing: Applier[PricingDraft] = Applier(connect=self.connect, drafter=self._drafter)
        self.results: Applier[ResultsDraft] = Applier(connect=self.connect, drafter=ResultsDrafter(clock=_now))
        self.app = self._new_app()

    def connect(self) -> Connection[Any]:
        """Open a connection for one thread's own use."""
        return connected(self._settings.database_url, name="price")

    def warm_up(self) -> None:
        """Begin to read supply points and tariffs, in the thread that will price by them.

        The group takes seconds to form, and so does this where there are a hundred thousand meters: not one after the
        other.
        """
        self._threads[wire.METER_READINGS].submit(self._read_ahead)

    def _read_ahead(self) -> None:
        try:
            with self.connect() as connection:
                self._drafter.catch_up(connection)
        except LOST as error:
            log.warning("supply points are read with the first batch", error=str(error))
        except Exception as error:
            end_process(error)

    def close(self) -> None:
        """Let what is in flight land, and close the connections."""
        for pipeline in self._pipelines:
            pipeline.close()

    async def positions_of(self, assigned: set[TP]) -> Mapping[TP, int]:
        """Return the offset to begin each partition at, once its log is seen to be the one that was applied."""
        if not assigned:
            return {}
        try:
            await self._know_cluster()
            partitions = {tp: Partition(self._cluster, tp.topic, tp.partition) for tp in assigned}
            positions = await awaited_positions(self.connect, list(partitions.values()))
            await verify_log(bootstrap=self._settings.bootstrap, positions=positions)
        except Exception as error:
            end_process(error)
            raise
        self.pricing.relearn()
        self.results.relearn()
        for seek_back in self._seek_backs:
            seek_back.forget()
        metrics.PARTITIONS.set(len(assigned))
        return {tp: positions[partition].offset + 1 for tp, partition in partitions.items()}

    async def _know_cluster(self) -> None:
        """Ask who the broker is, unless settings say it.

        Another cluster at the same address is a reason to begin anew: a message of the old one that is still on its
        way in this process must not be taken for one of the new.
        """
        if self._settings.cluster != "asked":
            return
        found = await cluster_id(self._settings.bootstrap)
        if self._cluster not in ("asked", found):
            raise StreamError(f"the broker is another cluster now: {found}, not {self._cluster}; start again")
        self._cluster = found

    def _new_app(self) -> LedgerApp:
        settings = self._settings
        app = LedgerApp(
            settings.group,
            broker=f"kafka://{settings.bootstrap.replace(',', ';kafka://')}",
            consumer_auto_offset_reset="none",
            consumer_group_instance_id=None if settings.instance == "none" else settings.instance,
            broker_session_timeout=settings.session_timeout_s,
            broker_rebalance_timeout=settings.session_timeout_s,
            broker_heartbeat_interval=settings.session_timeout_s / 3,
            topic_allow_declare=False,
            topic_disable_leader=True,
            stream_wait_empty=False,
            store="memory://",
            # Faust wants one, but there are no tables to keep in it: nothing is ever written there.
            datadir=str(Path(tempfile.gettempdir()) / "wattledger-faust"),
            web_enabled=False,
            key_serializer="raw",
            value_serializer="raw",
        )
        app.positions_of = self.positions_of
        app.fetch_wait_s = settings.fetch_wait_s
        app.on_rebalance_complete.connect(self._at_work)
        self._add_agent(app, wire.METER_READINGS, self.pricing, self._priced)
        self._add_agent(app, wire.RELAY_RESULTS, self.results, _concluded)
        return app

    async def _at_work(self, *_: Any, **__: Any) -> None:
        """A worker that joined is at work even where no partition was left for it: it stands by."""
        self.is_ready.set()

    def _add_agent(self, app: LedgerApp, topic: str, applier: Applier[D], committed: Callable[[D], None]) -> None:
        thread = self._threads[topic] = ThreadPoolExecutor(max_workers=1, thread_name_prefix=topic)
        settings = self._settings
        seek_back = SeekBack(seek=self._seek, reached=applier.reached, give_up=end_process)
        self._seek_backs.append(seek_back)
        pipeline = self._new_pipeline(thread, applier, committed)
        self._pipelines.append(pipeline)

        async def agent(stream: Any) -> None:
            try:
                async for events in stream.noack_take(settings.batch_max_messages, within=settings.batch_wait_s):
                    messages = [self._message(event) for event in events]
                    await self._apply(thread, topic, pipeline, messages)
                    seek_back.begin(applier.behind(messages))
                    for event in events:
                        event.ack()
            except Exception as error:
                end_process(error)

        app.agent(app.topic(topic, key_type=bytes, value_type=bytes), name=f"wattledger.{topic}")(agent)

    def _new_pipeline(
        self, thread: ThreadPoolExecutor, applier: Applier[D], committed: Callable[[D], None]
    ) -> Pipeline[D]:
        """Return a pipeline that tells the event loop what was committed, and ends the process on an error."""

        async def land() -> None:
            try:
                await asyncio.get_running_loop().run_in_executor(thread, pipeline.land)
            except Exception as error:
                end_process(error)

        def landing() -> None:
            task = asyncio.get_running_loop().create_task(land())
            self._landings.add(task)
            task.add_done_callback(self._landings.discard)

        def on_loop(work: Callable[[], None]) -> None:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(work)

        pipeline: Pipeline[D] = Pipeline(
            applier,
            connect=self.connect,
            committed=lambda draft: on_loop(lambda: committed(draft)),
            failed=lambda: on_loop(landing),
        )
        return pipeline

    async def _apply(
        self, thread: ThreadPoolExecutor, topic: str, pipeline: Pipeline[D], messages: Sequence[Message]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        metrics.BATCH_MESSAGES.labels(topic).observe(len(messages))
        with metrics.BATCH_SECONDS.labels(topic).time():
            await self._loop.run_in_executor(thread, pipeline.apply, messages)

    async def _seek(self, partition: Partition, offset: int) -> None:
        await self.app.consumer.seek_wait({TP(partition.topic, partition.number): offset})

    def _message(self, event: faust.EventT[Any]) -> Message:
        message = event.message
        return Message(
            partition=Partition(self._cluster, message.topic, message.partition),
            offset=message.offset,
            key=message.key,
            value=message.value,
            published_at=time_of(message.timestamp),
        )

    def _priced(self, draft: PricingDraft) -> None:
        metrics.READINGS.inc(draft.readings)
        metrics.DEBITS.inc(draft.debits)
        metrics.CORRECTIONS.inc(draft.corrections)
        metrics.TIME_CHARGES.inc(draft.time_charges)
        metrics.TICKS.inc(sum(progress.applied for progress in draft.ticks.values()))
        for reason, count in draft.holds.items():
            metrics.HOLDS.labels(reason).inc(count)
        for stray in draft.strays:
            metrics.STRAYS.labels(stray.reason).inc()
        for letter in draft.dead_letters:
            metrics.DEAD_LETTERS.labels(letter.partition.topic, letter.reason).inc()
        for _, progress in draft.sweeps.values():
            metrics.SWEEPS_REFUSED.labels("duplicate").inc(progress.duplicates)
            metrics.SWEEPS_REFUSED.labels("out-of-sequence").inc(progress.out_of_sequence)
        self.acks.put(draft.acks)


def _concluded(draft: ResultsDraft) -> None:
    for fact in draft.concluded:
        metrics.RESULTS.labels(fact.outcome).inc()
    for beat, heard_at in draft.heartbeats:
        metrics.HEARD.labels(beat.concentrator).set(heard_at.timestamp())
        metrics.FAILING.labels(beat.concentrator).set(beat.failing)
    for letter in draft.dead_letters:
        metrics.DEAD_LETTERS.labels(letter.partition.topic, letter.reason).inc()


def _now() -> datetime:
    return datetime.now(UTC)
