"""A small collector that follows the edge's protocol: in sequence, a window in flight, again until acknowledged."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from types import TracebackType

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from collectors.window import Window
from ledger import wire
from ledger.closing import closed
from tests.streams.truth import COLLECTOR, Truth

_SILENCE_S = 4.0


class Collector:
    """Publishes a truth's sweeps from a thread of its own until every one is acknowledged; a context manager."""

    def __init__(self, truth: Truth, *, bootstrap: str, window: int = 8, made: int | None = None) -> None:
        self._truth = truth
        self._bootstrap = bootstrap
        self._windows = {
            name: Window.starting_at(0, size=window, timeout_s=1.0, timeout_max_s=2.0) for name in truth.sweeps
        }
        self._heard_s = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.repeats = 0
        # How many sweeps of each concentrator have been made so far; a test raises it to let more come.
        self.made = made if made is not None else max(len(sweeps) for sweeps in truth.sweeps.values())

    def __enter__(self) -> "Collector":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(20)

    @property
    def acknowledged(self) -> int:
        """How many sweeps are acknowledged, of all concentrators together."""
        return sum(window.acknowledged for window in self._windows.values())

    @property
    def total(self) -> int:
        return sum(len(sweeps) for sweeps in self._truth.sweeps.values())

    @property
    def total_made(self) -> int:
        return sum(len(sweeps[: self.made]) for sweeps in self._truth.sweeps.values())

    def make(self, sweeps: int) -> None:
        """Let sweeps be made up to this many per concentrator, without waiting."""
        self.made = sweeps

    def wait_for_made(self, *, timeout_s: float = 60.0) -> None:
        """Wait until every sweep made so far is acknowledged."""
        self.wait_for(self.total_made, timeout_s=timeout_s)

    def wait_for(self, sweeps: int | None = None, *, timeout_s: float = 60.0) -> None:
        """Wait until as many sweeps (all, when not said) are acknowledged."""
        wanted = self.total if sweeps is None else sweeps
        until(lambda: self.acknowledged >= wanted, timeout_s=timeout_s, what=lambda: f"{self.acknowledged}/{wanted}")

    async def _run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await self._connected()
            await asyncio.sleep(0.2)

    async def _connected(self) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", linger_ms=0)
        consumer = AIOKafkaConsumer(
            wire.SWEEP_ACKS, bootstrap_servers=self._bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        try:
            await asyncio.wait_for(producer.start(), 10)
            await asyncio.wait_for(consumer.start(), 10)
            self._heard_s = time.monotonic()
            for window in self._windows.values():
                window.restart()
            while not self._stopping.is_set():
                await self._publish(producer)
                await self._listen(consumer)
                if time.monotonic() - self._heard_s > _SILENCE_S and self.acknowledged < self.total_made:
                    return  # our place in the acknowledgements is in doubt: connect again, as the edge does
        finally:
            await closed(producer.stop())
            await closed(consumer.stop())

    async def _publish(self, producer: AIOKafkaProducer) -> None:
        for name, window in self._windows.items():
            while window.room > 0 and window.published < len(self._truth.sweeps[name][: self.made]):
                sweep = self._truth.sweeps[name][window.published]
                window.sent(sweep.sequence, now_s=time.monotonic())
                sending = producer.send_and_wait(wire.METER_READINGS, wire.encode(sweep), key=name.encode())
                await asyncio.wait_for(sending, 5)
            if window.tick(now_s=time.monotonic()):
                self.repeats += 1

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        records = await consumer.getmany(timeout_ms=20)
        for record in (record for batch in records.values() for record in batch):
            ack = wire.decode_ack(record.value)
            window = self._windows.get(ack.concentrator)
            if window is not None and ack.collector == COLLECTOR:
                self._heard_s = time.monotonic()
                window.acked(ack.sequence, now_s=time.monotonic())


def until(
    condition: Callable[[], bool], *, timeout_s: float = 30.0, what: Callable[[], str] = lambda: "nothing happened"
) -> None:
    """Wait until a condition holds; fail, saying what was reached, where it does not in time."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"after {timeout_s:g} s: {what()}"
        time.sleep(0.02)
