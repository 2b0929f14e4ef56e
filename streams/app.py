"""The Faust app: its topics and agents, and where its partitions begin. No exception leaves an agent."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import faust
import psycopg
import structlog
from aiokafka.admin import AIOKafkaAdminClient
from faust.types import TP
from psycopg import Connection

from ledger import wire
from ledger.store.applied import Partition, applied_positions
from streams import metrics
from streams.acks import AckSender
from streams.applier import Applier
from streams.assignment import verify_log
from streams.consumer import LedgerApp
from streams.message import Message
from streams.pricing import PricingDraft, PricingDrafter
from streams.results import ResultsDraft, ResultsDrafter
from streams.settings import Settings

log = structlog.get_logger()

D = TypeVar("D")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
        self._seeking: dict[Partition, int] = {}
        self.is_ready = asyncio.Event()
        self.acks = AckSender(settings)
        self.pricing: Applier[PricingDraft] = Applier(connect=self.connect, drafter=PricingDrafter(clock=_now))
        self.results: Applier[ResultsDraft] = Applier(connect=self.connect, drafter=ResultsDrafter(clock=_now))
        self.app = self._new_app()

    def connect(self) -> Connection[Any]:
        """Open a connection for one thread's own use."""
        return psycopg.connect(self._settings.database_url, autocommit=True, application_name="wattledger price")

    async def positions_of(self, assigned: set[TP]) -> Mapping[TP, int]:
        """Return the offset to begin each partition at, once its log is seen to be the one that was applied."""
        try:
            if self._settings.cluster == "asked":
                self._cluster = await _cluster_id(self._settings.bootstrap)
            partitions = {tp: Partition(self._cluster, tp.topic, tp.partition) for tp in assigned}
            positions = await asyncio.to_thread(self._read_positions, list(partitions.values()))
            await verify_log(bootstrap=self._settings.bootstrap, positions=positions)
        except Exception as error:
            end_process(error)
            raise
        self.pricing.relearn()
        self.results.relearn()
        self._seeking.clear()
        metrics.PARTITIONS.set(len(assigned))
        self.is_ready.set()
        return {tp: positions[partition].offset + 1 for tp, partition in partitions.items()}

    def _read_positions(self, partitions: Sequence[Partition]) -> Any:
        with self.connect() as connection:
            return applied_positions(connection, partitions)

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
            datadir=tempfile.mkdtemp(prefix="wattledger-faust-"),
            web_enabled=False,
            key_serializer="raw",
            value_serializer="raw",
        )
        app.positions_of = self.positions_of
        app.fetch_wait_s = settings.fetch_wait_s
        self._add_agent(app, wire.METER_READINGS, self.pricing, self._priced)
        self._add_agent(app, wire.RELAY_RESULTS, self.results, _concluded)
        return app

    def _add_agent(self, app: LedgerApp, topic: str, applier: Applier[D], committed: Callable[[D], None]) -> None:
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=topic)
        settings = self._settings

        async def agent(stream: Any) -> None:
            try:
                async for events in stream.noack_take(settings.batch_max_messages, within=settings.batch_wait_s):
                    messages = [self._message(event) for event in events]
                    await self._apply(thread, topic, applier, messages, committed)
                    for event in events:
                        event.ack()
            except Exception as error:
                end_process(error)

        app.agent(app.topic(topic, key_type=bytes, value_type=bytes), name=f"wattledger.{topic}")(agent)

    async def _apply(
        self,
        thread: ThreadPoolExecutor,
        topic: str,
        applier: Applier[D],
        messages: Sequence[Message],
        committed: Callable[[D], None],
    ) -> None:
        metrics.BATCH_MESSAGES.labels(topic).observe(len(messages))
        with metrics.BATCH_SECONDS.labels(topic).time():
            draft = await asyncio.get_running_loop().run_in_executor(thread, applier.apply, messages)
        if draft is not None:
            committed(draft)
        await self._seek_back(applier.behind(messages))

    async def _seek_back(self, behind: Mapping[Partition, int]) -> None:
        """Read partitions again from where offsets were skipped; what is in the queue behind the gap is waited out.

        A second gap at the same offset means that the log itself has a hole.
        """
        for partition, offset in behind.items():
            if self._seeking.get(partition) == offset:
                continue
            log.warning("offsets were skipped; reading again", topic=partition.topic, offset=offset)
            self._seeking[partition] = offset
            metrics.SEEKS_BACK.labels(partition.topic).inc()
            await self.app.consumer.seek(TP(partition.topic, partition.number), offset)

    def _message(self, event: faust.EventT[Any]) -> Message:
        message = event.message
        return Message(
            partition=Partition(self._cluster, message.topic, message.partition),
            offset=message.offset,
            key=message.key,
            value=message.value,
            published_at=_EPOCH + timedelta(milliseconds=round((message.timestamp or 0) * 1000)),
        )

    def _priced(self, draft: PricingDraft) -> None:
        metrics.READINGS.inc(draft.readings)
        metrics.DEBITS.inc(draft.debits)
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
    for letter in draft.dead_letters:
        metrics.DEAD_LETTERS.labels(letter.partition.topic, letter.reason).inc()


async def _cluster_id(bootstrap: str) -> str:
    """Ask the broker who it is: an in-memory one is another cluster after each start."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        return str((await client.describe_cluster())["cluster_id"])
    finally:
        await client.close()


def _now() -> datetime:
    return datetime.now(UTC)
