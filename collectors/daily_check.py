"""What a meter is asked beside its energy, once a day: who it is, what its clock says, what credit it keeps itself.

None of it is needed for a reading, so none of it can cost one. The serial is asked again in every sweep for as long
as it is not the one that the site file has; the ledger decides what a crossed meter means.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from collectors.decode import digits, hex_of, value
from collectors.device_clock import clock_reading
from collectors.errors import DecodeError, RequestFailed
from collectors.meter_reader import MeterReader
from collectors.metrics import CollectorMetrics
from collectors.profile import Profile, Quantity, RecordLog
from collectors.read_plan import Words

log = structlog.get_logger(__name__)

_DAY = timedelta(days=1)
# After a failure: some meters meet an address that they lack with silence, which costs a time-out each time.
_AGAIN = timedelta(hours=1)
_LOG_WORDS_MAX = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a meter told of itself: its serial, and what it keeps of its own credit, by name."""

    serial: str | None = None
    credit: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class DailyCheck:
    """Asks each meter of a concentrator once a day, beginning with its first sweep."""

    concentrator: str
    metrics: CollectorMetrics
    _due: dict[str, datetime] = field(default_factory=dict)
    _crossed: set[str] = field(default_factory=set)

    async def ask(self, reader: MeterReader, *, now: datetime) -> Told:
        """Return what the meter tells, nothing where it is not due; a failure is logged and counted, never raised."""
        meter = reader.meter.serial
        due = self._due.get(meter, now)
        # A clock that was set back must not put the check off for as long.
        is_due = not now < due <= now + _DAY
        if not is_due and meter not in self._crossed:
            return Told()
        if is_due:
            self._due[meter] = now + _DAY
        serial = await self._serial(reader, now)
        self._note(meter, serial)
        if not is_due:
            return Told(serial=serial)
        credit = await self._credit(reader, now) | await self._logs(reader, now)
        await self._drift(reader, now)
        return Told(serial=serial, credit=credit)

    def _note(self, meter: str, told: str | None) -> None:
        """Ask a meter for its serial in every sweep for as long as it is another's."""
        if told is None:
            return
        self._crossed.discard(meter)
        if not same_serial(told, meter):
            self._crossed.add(meter)
            self.metrics.serial_mismatches.labels(self.concentrator).inc()
            log.error("another meter answers", concentrator=self.concentrator, meter=meter, it_says=told)

    async def _serial(self, reader: MeterReader, now: datetime) -> str | None:
        quantity = reader.meter.profile.serial
        if quantity is None or not quantity.checked:
            return None
        words = await self._asked(reader, (quantity,), now)
        if quantity not in words:
            return None
        try:
            return digits(words[quantity], quantity=quantity, layout=reader.meter.profile.layout)
        except DecodeError as error:
            self._failed(reader, error, now)
            return None

    async def _credit(self, reader: MeterReader, now: datetime) -> dict[str, str]:
        profile = reader.meter.profile
        words = await self._asked(reader, profile.credits, now)
        return {
            quantity.name: shown(words[quantity], quantity, profile)
            for quantity in profile.credits
            if quantity in words
        }

    async def _logs(self, reader: MeterReader, now: datetime) -> dict[str, str]:
        """Return the records of each log that are not empty, as words in hex, with blanks between records."""
        told = {}
        for record_log in reader.meter.profile.logs:
            try:
                told[record_log.name] = " ".join(await read_log(reader, record_log))
            except RequestFailed as error:
                self._failed(reader, error, now)
        return told

    async def _drift(self, reader: MeterReader, now: datetime) -> None:
        clock = reader.meter.profile.clock
        if clock is None:
            return
        try:
            words = await reader.read_words(
                function=clock.function, address=clock.address, count=clock.word_count, retries=0
            )
            drift_s = (clock_reading(words, clock=clock) - now.astimezone(UTC)).total_seconds()
        except (RequestFailed, DecodeError) as error:
            self._failed(reader, error, now)
            return
        self.metrics.clock_drift_seconds.labels(self.concentrator, reader.meter.serial).set(drift_s)

    async def _asked(self, reader: MeterReader, wanted: tuple[Quantity, ...], now: datetime) -> Words:
        if not wanted:
            return {}
        try:
            return await reader.read(wanted, retries=0)
        except RequestFailed as error:
            self._failed(reader, error, now)
            return {}

    def _failed(self, reader: MeterReader, error: Exception, now: datetime) -> None:
        self._due[reader.meter.serial] = now + _AGAIN
        self.metrics.read_failures.labels(self.concentrator, "daily-check").inc()
        log.warning("daily check failed", concentrator=self.concentrator, meter=reader.meter.serial, error=str(error))


async def read_log(reader: MeterReader, record_log: RecordLog) -> list[str]:
    """Read a log's records that are not empty, as hex; raises RequestFailed, but for records that the meter lacks."""
    records = []
    for number in range(min(record_log.records, _LOG_WORDS_MAX // record_log.stride_words)):
        address = record_log.address + number * record_log.stride_words
        words = await reader.read_words(
            function=record_log.function, address=address, count=record_log.stride_words, retries=0
        )
        if not any(words) or all(word == 0xFFFF for word in words):
            break
        records.append(hex_of(words))
    return records


def shown(words: tuple[int, ...], quantity: Quantity, profile: Profile) -> str:
    """Return a quantity as decimal text, or where it is no number its words in hex."""
    try:
        number = value(words, quantity=quantity, layout=profile.layout)
    except DecodeError:
        return f"raw {hex_of(words)}"
    return decimal_text(number.numerator, number.denominator)


def decimal_text(numerator: int, denominator: int) -> str:
    """Write a fraction as a decimal of at most nine places, exact where it ends sooner."""
    scaled = abs(numerator) * 10**9 // denominator
    text = f"{scaled // 10**9}.{scaled % 10**9:09d}".rstrip("0").rstrip(".")
    return f"-{text}" if numerator < 0 and scaled else text


def same_serial(told: str, known: str) -> bool:
    """Tell whether two numbers are one meter's: the zeros before it are printed or not, as the maker likes."""
    return told.lstrip("0") == known.lstrip("0")
