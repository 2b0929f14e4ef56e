"""A Faust consumer that starts every partition at the ledger's position instead of Kafka's committed offset."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import faust
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

# Set by `app` for the one Faust app of this process: given the partitions assigned, it returns where to begin each.
PositionsOf = Callable[[set[TP]], Awaitable[Mapping[TP, int]]]


class PromptThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread with a fetch that waits for as long as we say, not for 1.5 seconds.

    The embedded broker answers a fetch only when its wait is over, however soon data arrives.
    """

    def _create_worker_consumer(self, transport: Any) -> Any:
        app: Any = self.app
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = round(app.fetch_wait_s * 1000)
        return consumer


class LedgerConsumer(driver.Consumer):
    """Faust's aiokafka consumer, seeking to the ledger's positions on every assignment."""

    def _new_consumer_thread(self) -> Any:
        return PromptThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        """Fetch; what goes wrong before this assignment's positions are known is of no account.

        Kafka has no committed offset for a partition that never had a message, and may have one that is out of range;
        a fetch that runs on while the positions are being read meets both.
        """
        try:
            return await super()._getmany(active_partitions, timeout)
        except (NoOffsetForPartitionError, OffsetOutOfRangeError):
            if self.flow_active:
                raise
            return {}

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek each assigned partition to the message after the last one applied, and return those offsets."""
        app: Any = self.app
        offsets: Mapping[TP, int] = await app.positions_of(self.assignment())
        await self.seek_wait(offsets)
        return offsets


class LedgerTransport(driver.Transport):
    """Faust's aiokafka transport, with our consumer."""

    Consumer = LedgerConsumer


class LedgerApp(faust.App):
    """A Faust app whose positions come from the ledger."""

    positions_of: PositionsOf
    fetch_wait_s: float = 0.1

    def _new_transport(self) -> Any:
        return LedgerTransport(self.conf.broker_consumer, self)
