"""Reading one meter's quantities: planned blocks, retries with ever longer pauses, and what the meter lacks."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

import structlog

from collectors.errors import RequestFailed
from collectors.modbus import BUSY, ILLEGAL_ADDRESS, ILLEGAL_VALUE, NO_CONNECTION, Bus
from collectors.profile import Quantity
from collectors.read_plan import Block, Words, plan_of
from collectors.site import Meter

log = structlog.get_logger(__name__)

# A meter that is asked for more than it has, or for more at once than it can give, answers one of these.
_TOO_MUCH = (ILLEGAL_ADDRESS, ILLEGAL_VALUE)
_FINAL = (*_TOO_MUCH, "illegal-function", NO_CONNECTION)
_BUSY_PAUSE_S = 0.2
_RETRY_PAUSE_S = 0.05


@dataclass(slots=True, kw_only=True)
class MeterReader:
    """One meter on its bus; it learns in the first sweep what the meter lacks, and asks for that no more."""

    meter: Meter
    bus: Bus
    _lacking: set[Quantity] = field(default_factory=set)
    _plans: dict[tuple[Quantity, ...], tuple[Block, ...]] = field(default_factory=dict)

    async def read(self, wanted: tuple[Quantity, ...], *, retries: int, needed: Collection[Quantity] = ()) -> Words:
        """Read what the meter has of `wanted`; raises RequestFailed, also where it lacks one that is `needed`."""
        words: Words = {}
        known = self._plan(wanted)
        for block in known:
            await self._read(block, words, retries=retries)
        lacking = [quantity for quantity in wanted if quantity not in words]
        for quantity in lacking:
            if quantity in needed:
                raise RequestFailed(
                    reason=ILLEGAL_ADDRESS,
                    detail=f"the meter has no {quantity.name} at {quantity.address:#06x}; check its profile",
                )
        if not self._lacking.issuperset(lacking):
            self._learn(lacking)
        return words

    async def read_words(self, *, function: int, address: int, count: int, retries: int) -> tuple[int, ...]:
        """Read words that no quantity stands for, such as a log's."""
        return await self._asked(function, address, count, retries=retries)

    def _plan(self, wanted: tuple[Quantity, ...]) -> tuple[Block, ...]:
        if wanted not in self._plans:
            has = [quantity for quantity in wanted if quantity not in self._lacking]
            self._plans[wanted] = plan_of(has, words_per_read=self.meter.profile.words_per_read)
        return self._plans[wanted]

    def _learn(self, lacking: list[Quantity]) -> None:
        """Plan anew without what the meter lacks, so that the rest is read together again."""
        self._lacking |= set(lacking)
        self._plans.clear()
        log.warning(
            "meter lacks registers of its profile",
            meter=self.meter.serial,
            profile=self.meter.profile.name,
            registers=[f"{quantity.name} {quantity.address:#06x}" for quantity in lacking],
        )

    async def _read(self, block: Block, words: Words, *, retries: int) -> None:
        try:
            words |= block.shared(await self._asked(block.function, block.address, block.count, retries=retries))
        except RequestFailed as error:
            if error.reason not in _TOO_MUCH:
                raise
            # One address that the meter lacks must not lose the block's others.
            if len(block.quantities) > 1:
                self._split(block)
                for half in block.halves():
                    await self._read(half, words, retries=retries)

    def _split(self, block: Block) -> None:
        """Ask for the halves from now on: perhaps nothing is lacking, and the meter only gives less at once."""
        for wanted, plan in self._plans.items():
            if block in plan:
                at = plan.index(block)
                self._plans[wanted] = (*plan[:at], *block.halves(), *plan[at + 1 :])

    async def _asked(self, function: int, address: int, count: int, *, retries: int) -> tuple[int, ...]:
        for attempt in range(retries + 1):
            try:
                return await self.bus.read(
                    unit=self.meter.unit,
                    function=function,
                    address=address,
                    count=count,
                    timeout_s=self.meter.request_timeout_s,
                )
            except RequestFailed as error:
                if attempt == retries or error.reason in _FINAL:
                    raise
                await asyncio.sleep((_BUSY_PAUSE_S if error.reason == BUSY else _RETRY_PAUSE_S) * 2**attempt)
        raise AssertionError("a request has at least one attempt")
