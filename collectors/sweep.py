"""One pass over a concentrator's meters: words to readings. A failed read is a gap, never a zero."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from collectors.decode import hex_of, milliwh
from collectors.errors import DecodeError, RequestFailed
from collectors.metrics import CollectorMetrics
from collectors.modbus import BUSY, ILLEGAL_ADDRESS, NO_CONNECTION, Bus
from collectors.profile import EnergyRegister, Profile
from collectors.site import Concentrator, Meter
from ledger.wire import Reading, RegisterReading

log = structlog.get_logger(__name__)

Words = dict[EnergyRegister, tuple[int, ...]]
# A meter that failed in this many sweeps running rests: polled rarely, it costs the others no more time.
_FAILURES_UNTIL_REST = 2
_SWEEPS_OF_REST = 9
_BUSY_PAUSE_S = 0.2


@dataclass(slots=True)
class _Condition:
    """How a meter has been answering."""

    failures: int = 0
    rest: int = 0


@dataclass(slots=True, kw_only=True)
class Sweeper:
    """Reads all meters of one concentrator, one after another."""

    concentrator: Concentrator
    bus: Bus
    retries: int
    metrics: CollectorMetrics
    now: Callable[[], datetime]
    _conditions: dict[str, _Condition] = field(default_factory=dict)

    async def sweep(self, *, all_meters: bool = False) -> list[Reading]:
        """Read every meter that is not resting, or every one; the readings are in read order."""
        readings = []
        for meter in [meter for meter in self.concentrator.meters if self._due(meter) or all_meters]:
            try:
                readings.append(await self._read(meter))
            except RequestFailed as error:
                self._gap(meter, error.reason, error)
                if error.reason == NO_CONNECTION:
                    break  # The meters after it would only wait out the same time-out.
                self._learn(meter, answered=False)
            except DecodeError as error:
                self._gap(meter, "decode", error)
            else:
                self._learn(meter, answered=True)
        return readings

    def _due(self, meter: Meter) -> bool:
        condition = self._conditions.setdefault(meter.serial, _Condition())
        if condition.rest == 0:
            return True
        condition.rest -= 1
        return False

    async def _read(self, meter: Meter) -> Reading:
        words = await self._energy_words(meter)
        reading = _reading(meter, words, read_at=self.now())
        self.metrics.readings.labels(self.concentrator.id).inc()
        return reading

    def _gap(self, meter: Meter, reason: str, error: Exception) -> None:
        self.metrics.read_failures.labels(self.concentrator.id, reason).inc()
        log.warning("reading failed", concentrator=self.concentrator.id, meter=meter.serial, error=str(error))

    def _learn(self, meter: Meter, *, answered: bool) -> None:
        condition = self._conditions[meter.serial]
        condition.failures = 0 if answered else condition.failures + 1
        condition.rest = _SWEEPS_OF_REST if condition.failures >= _FAILURES_UNTIL_REST else 0

    async def _energy_words(self, meter: Meter) -> Words:
        """Read the energy registers, those that lie together in one request."""
        words: Words = {}
        for block in blocks(meter.profile):
            try:
                words |= await self._block(meter, block)
            except RequestFailed as error:
                # One address that the meter lacks must not lose the block's others.
                if error.reason != ILLEGAL_ADDRESS or len(block) == 1:
                    raise
                words |= await self._one_by_one(meter, block)
        return words

    async def _one_by_one(self, meter: Meter, block: tuple[EnergyRegister, ...]) -> Words:
        words: Words = {}
        for register in block:
            try:
                words |= await self._block(meter, (register,))
            except RequestFailed as error:
                if error.reason != ILLEGAL_ADDRESS or register == meter.profile.total:
                    raise
        return words

    async def _block(self, meter: Meter, block: tuple[EnergyRegister, ...]) -> Words:
        start = block[0].address
        count = block[-1].address + block[-1].word_count - start
        read = await self._retried(meter, start, count)
        return {r: read[r.address - start : r.address - start + r.word_count] for r in block}

    async def _retried(self, meter: Meter, address: int, count: int) -> tuple[int, ...]:
        for attempt in range(self.retries + 1):
            try:
                return await self.bus.read(
                    unit=meter.unit, function=meter.profile.read_function, address=address, count=count
                )
            except RequestFailed as error:
                if attempt == self.retries or error.reason == ILLEGAL_ADDRESS:
                    raise
                if error.reason == BUSY:
                    await asyncio.sleep(_BUSY_PAUSE_S)
        raise AssertionError("a request has at least one attempt")


def blocks(profile: Profile) -> list[tuple[EnergyRegister, ...]]:
    """Group a profile's energy registers into contiguous runs of at most `words_per_read` words."""
    grouped: list[list[EnergyRegister]] = []
    for register in profile.energy_registers:
        run = grouped[-1] if grouped else None
        if (
            run
            and register.address == run[-1].address + run[-1].word_count
            and register.address + register.word_count - run[0].address <= profile.words_per_read
        ):
            run.append(register)
        else:
            grouped.append([register])
    return [tuple(run) for run in grouped]


def _reading(meter: Meter, words: Words, *, read_at: datetime) -> Reading:
    profile = meter.profile
    periods = {r.name: milliwh(words[r], register=r) for r in profile.periods if r in words}
    register = RegisterReading(
        meter=meter.serial,
        read_at=read_at,
        import_milliwh=milliwh(words[profile.total], register=profile.total),
        periods=periods if meter.time_of_use else None,
        profile=profile.name,
        raw=hex_of([word for register in profile.energy_registers for word in words.get(register, ())]),
    )
    try:
        return Reading(register=register)
    except ValueError as error:
        raise DecodeError(f"{error}; set this machine's clock") from None
