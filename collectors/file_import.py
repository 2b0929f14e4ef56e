"""Publishing an import: a file's sweeps go the way of any collector's, and wait for the ledger's acknowledgement."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from collectors.errors import LinkLost, NotAcknowledged
from collectors.kafka import Link, open_link
from collectors.metrics import CollectorMetrics
from collectors.publish import Publisher
from collectors.sendable import message_of
from collectors.settings import KafkaSettings, PublishSettings
from collectors.side_by_side import end, first_to_fail, uncancelled
from collectors.spool import Spooled
from ledger import wire

_RECONNECT_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOutcome:
    """What an import came to: how many of its sweeps and intervals were new, and how many the ledger had."""

    collector: str
    sweeps: int
    intervals: int
    sweeps_already_applied: int
    intervals_already_applied: int

    @property
    def changed_nothing(self) -> bool:
        """Whether the ledger had every sweep of this import before."""
        return self.sweeps == self.sweeps_already_applied


class _Sweeps:
    """An import's sweeps in memory, as a source for the publisher; the file itself is the copy that lasts."""

    def __init__(self, sweeps: Sequence[wire.Sweep]) -> None:
        self._mutex = threading.Lock()
        self._messages: dict[str, dict[int, bytes]] = {}
        for sweep in sweeps:
            self._messages.setdefault(sweep.concentrator, {})[sweep.sequence] = message_of(sweep)
        self._last = {concentrator: max(messages) for concentrator, messages in self._messages.items()}

    @property
    def left(self) -> int:
        """How many sweeps the ledger has not acknowledged."""
        with self._mutex:
            return sum(len(messages) for messages in self._messages.values())

    def after(self, concentrator: str, sequence: int, *, limit: int) -> list[Spooled]:
        with self._mutex:
            messages = self._messages[concentrator]
            chosen = sorted(number for number in messages if number > sequence)[:limit]
            return [Spooled(concentrator=concentrator, sequence=n, message=messages[n]) for n in chosen]

    def forget(self, concentrator: str, *, through: int) -> int:
        with self._mutex:
            messages = self._messages.get(concentrator, {})
            covered = [number for number in messages if number <= through]
            for number in covered:
                del messages[number]
            return len(covered)

    def first_kept(self, concentrator: str) -> int:
        with self._mutex:
            return min(self._messages[concentrator], default=self._last[concentrator] + 1)

    def last_sequence(self, concentrator: str) -> int:
        return self._last[concentrator]


class _Import:
    """One import under way, over as many connections as it takes."""

    def __init__(
        self, sweeps: Sequence[wire.Sweep], already_applied: Mapping[str, int], progress: Callable[[int], None]
    ) -> None:
        self.source = _Sweeps(sweeps)
        self._progress = progress
        self.applied_before = dict(already_applied)
        for concentrator, sequence in already_applied.items():
            self.source.forget(concentrator, through=sequence)
        self._publisher = Publisher(
            source=self.source,
            collector=sweeps[0].collector,
            concentrators={sweep.concentrator for sweep in sweeps},
            settings=PublishSettings(),
            metrics=CollectorMetrics(),
        )
        for window in self._publisher.windows.values():
            # One sweep first: its answer tells whether the ledger has had this import before.
            window.allowance = 1

    async def over(self, link: Link) -> None:
        """Publish and listen over one connection; raises KafkaError or LinkLost, ends when all is acknowledged."""
        listening = asyncio.create_task(self._listen(link))
        others = asyncio.create_task(first_to_fail(self._publisher.run(link.send), link.watch()))
        try:
            done, _ = await asyncio.wait((listening, others), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await end((listening, others))

    async def _listen(self, link: Link) -> None:
        while self.source.left:
            try:
                ack = wire.decode_ack((await link.receive()).value)
            except wire.WireError:
                continue  # Not ours to judge: collectors count what they cannot read.
            await self._take(ack)

    async def _take(self, ack: wire.SweepAck) -> None:
        window = self._publisher.windows.get(ack.concentrator)
        collector = self._publisher.collector
        if window is not None and ack.collector == collector and ack.sequence > window.published:
            self.applied_before[ack.concentrator] = ack.sequence
        await self._publisher.take_ack(ack)
        self._progress(self.source.left)


async def publish_import(
    sweeps: Sequence[wire.Sweep],
    *,
    kafka: KafkaSettings,
    timeout_s: float,
    already_applied: Mapping[str, int] | None = None,
    progress: Callable[[int], None] = lambda _left: None,
) -> ImportOutcome:
    """Publish an import's sweeps, all of one collector, and return when the ledger has acknowledged every one.

    `already_applied` says per concentrator up to which sequence the ledger has this import; those are not sent.
    `progress` is told how many sweeps are left whenever the ledger has answered.
    Raises NotAcknowledged when that takes longer than `timeout_s`; to run the import again is safe then. Raises
    Unsendable, and publishes nothing, where the ledger could not read one of the sweeps.
    """
    if not sweeps:
        return ImportOutcome(
            collector="", sweeps=0, intervals=0, sweeps_already_applied=0, intervals_already_applied=0
        )
    work = _Import(sweeps, already_applied or {}, progress)
    try:
        async with asyncio.timeout(timeout_s):
            while work.source.left:
                await _over_one_link(work, kafka)
    except TimeoutError:
        raise NotAcknowledged(
            f"the ledger has not acknowledged {work.source.left} of {len(sweeps)} sweeps within {timeout_s:g} s; see "
            "that `wattledger price` runs, then import the file again: what is billed already is not billed twice"
        ) from None
    old = [sweep for sweep in sweeps if sweep.sequence <= work.applied_before.get(sweep.concentrator, 0)]
    return ImportOutcome(
        collector=sweeps[0].collector,
        sweeps=len(sweeps),
        intervals=sum(len(sweep.readings) for sweep in sweeps),
        sweeps_already_applied=len(old),
        intervals_already_applied=sum(len(sweep.readings) for sweep in old),
    )


async def _over_one_link(work: _Import, kafka: KafkaSettings) -> None:
    try:
        await uncancelled(_linked(work, kafka))
    except (KafkaError, LinkLost, OSError):
        await asyncio.sleep(_RECONNECT_PAUSE_S)


async def _linked(work: _Import, kafka: KafkaSettings) -> None:
    async with open_link(kafka, topics_read=(wire.SWEEP_ACKS,), topics_written=(wire.METER_READINGS,)) as link:
        await work.over(link)
