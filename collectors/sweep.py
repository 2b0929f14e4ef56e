"""One pass over a concentrator's meters: words to readings. A failed read is a gap, never a zero."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from collectors.daily_check import DailyCheck, Told
from collectors.errors import DecodeError, RequestFailed
from collectors.meter_reader import MeterReader
from collectors.metrics import CollectorMetrics
from collectors.modbus import NO_CONNECTION, Bus
from collectors.reading import reading_of
from collectors.roster import Roster
from collectors.site import Concentrator, Meter
from ledger.wire import Reading

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Sweeper:
    """Reads all meters of one concentrator, one after another."""

    concentrator: Concentrator
    bus: Bus
    retries: int
    metrics: CollectorMetrics
    now: Callable[[], datetime]
    daily: DailyCheck | None = None
    failing: set[str] = field(default_factory=set)
    _readers: dict[str, MeterReader] = field(init=False)
    _roster: Roster = field(init=False)

    def __post_init__(self) -> None:
        self._readers = {m.serial: MeterReader(meter=m, bus=self.bus) for m in self.concentrator.meters}
        self._roster = Roster(meters=self.concentrator.meters)

    async def sweep(self, *, all_meters: bool = False) -> list[Reading]:
        """Read every meter that is not resting, or every one; the readings are in read order."""
        readings = []
        for meter in self._roster.due(all_meters=all_meters):
            try:
                readings.append(await self._read(meter))
            except RequestFailed as error:
                self._gap(meter, error.reason, error)
                if error.reason == NO_CONNECTION:
                    self.failing |= {other.serial for other in self.concentrator.meters}
                    break  # The meters after it would only wait out the same time-out.
                self._roster.failed(meter, reason=error.reason)
            except DecodeError as error:
                self._gap(meter, "decode", error)
        return readings

    async def _read(self, meter: Meter) -> Reading:
        reader, profile = self._readers[meter.serial], meter.profile
        retries = 0 if self._roster.in_doubt(meter) else self.retries
        needed = (profile.total, *profile.multipliers)
        words = await reader.read(profile.swept, retries=retries, needed=needed)
        read_at = self.now()
        self._roster.answered(meter)
        reading = reading_of(meter, words, read_at=read_at, told=await self._told(reader))
        self.failing.discard(meter.serial)
        self.metrics.readings.labels(self.concentrator.id).inc()
        self.metrics.last_reading.labels(self.concentrator.id, meter.serial).set(read_at.timestamp())
        return reading

    async def _told(self, reader: MeterReader) -> Told:
        return Told() if self.daily is None else await self.daily.ask(reader, now=self.now())

    def _gap(self, meter: Meter, reason: str, error: Exception) -> None:
        self.failing.add(meter.serial)
        self.metrics.read_failures.labels(self.concentrator.id, reason).inc()
        log.warning("reading failed", concentrator=self.concentrator.id, meter=meter.serial, error=str(error))
