"""Where offsets were skipped, their partition is read again from there, until the gap is closed.

One seek is not enough: what Faust had fetched before it may still pass through, and make it drop what is read again.
So a gap is watched by the clock, not by what arrives.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiokafka.errors import IllegalStateError

from ledger.store.applied import Partition
from streams import metrics
from streams.errors import StreamError

log = structlog.get_logger()

_TRIES = 15


class HoleInLog(StreamError):
    """A partition's log has no message where the next one is due."""


class SeekBack:
    """Closes gaps in the background; a hole that stays is for an operator, so it ends the process."""

    def __init__(
        self,
        *,
        seek: Callable[[Partition, int], Awaitable[None]],
        reached: Callable[[Partition], int | None],
        give_up: Callable[[BaseException], None],
        pause_s: float = 1.0,
    ) -> None:
        self._seek = seek
        self._reached = reached
        self._give_up = give_up
        self._pause_s = pause_s
        self._closing: dict[Partition, asyncio.Task[None]] = {}

    def begin(self, behind: Mapping[Partition, int]) -> None:
        """Read each partition again from its offset, unless that is under way."""
        for partition, offset in behind.items():
            task = self._closing.get(partition)
            if task is None or task.done():
                self._closing[partition] = asyncio.create_task(self._close(partition, offset))

    def forget(self) -> None:
        """Close no gap any more: the partitions are assigned anew and read from their positions anyway."""
        for task in self._closing.values():
            task.cancel()
        self._closing.clear()

    async def _close(self, partition: Partition, offset: int) -> None:
        try:
            for _ in range(_TRIES):
                log.warning(
                    "offsets were skipped; reading again",
                    topic=partition.topic,
                    partition=partition.number,
                    offset=offset,
                )
                metrics.SEEKS_BACK.labels(partition.topic).inc()
                await self._seek(partition, offset)
                await asyncio.sleep(self._pause_s)
                reached = self._reached(partition)
                if reached is None or reached >= offset:
                    return
        except IllegalStateError:
            return  # the partition is not ours any more
        except Exception as error:
            self._give_up(error)
            raise
        self._give_up(
            HoleInLog(
                f"{partition} has no message at offset {offset}, though it has later ones (was the topic compacted,"
                " or does a transactional producer write to it?); see what is missing, then name the offset to go on"
                f" from: wattledger positions resolve {partition.topic} {partition.number} --at OFFSET --reason TEXT"
            )
        )
