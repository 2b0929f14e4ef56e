"""Commissioning one meter: serial, reading, trip with the load falling, close. A failed walk leaves the relay closed.

It switches a relay that was found closed, and by hand only: somebody stands before it. One that is found open is left
alone, for whoever opened it had a reason, and the ledger alone knows whether the supply may be on.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from collectors.daily_check import Told, same_serial
from collectors.decode import digits, relay_state, value
from collectors.errors import DecodeError, RequestFailed
from collectors.meter_reader import MeterReader
from collectors.profile import Quantity, Relay
from collectors.reading import factor, multipliers_of, reading_of
from collectors.site import Meter
from collectors.switch import WANTED, Switch
from ledger.values.commissioning import CommissionedRelay, CommissioningRecord
from ledger.wire import RelayAction

T = TypeVar("T")
_WATTS = {"W": 1, "kW": 1000}
_PAUSE_S = 0.5
_RETRIES = 1
# What an open relay may let through by the meter's own reckoning, of the load before.
_LEFT_DIVISOR = 20


class StepFailed(Exception):
    """A step of the walk did not come out as it must; `step` is its code."""

    def __init__(self, step: str, problem: str) -> None:
        super().__init__(problem)
        self.step = step


@dataclass(slots=True, kw_only=True)
class Walk:
    """How a meter came through: what each step found, power in W; `failed` is the code of the step that failed."""

    steps: list[tuple[str, str]] = field(default_factory=list)
    register_milliwh: int | None = None
    relay: CommissionedRelay = "none"
    load_before_w: int | None = None
    load_open_w: int | None = None
    failed: str = ""

    @property
    def passed(self) -> bool:
        """Whether every step came out as it must."""
        return not self.failed


@dataclass(slots=True, kw_only=True)
class Commissioning:
    """The walk of one meter; `told` hears of each step as it is done, durations in seconds."""

    reader: MeterReader
    min_load_w: int
    timeout_s: float
    told: Callable[[str, str], None] = lambda _step, _found: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    walk: Walk = field(default_factory=Walk)

    async def run(self) -> Walk:
        """Walk the meter through; what fails is in the result, never raised."""
        try:
            await self._serial()
            await self._reading()
            await self._relay()
        except StepFailed as failure:
            self._note(failure.step, f"FAILED: {failure}")
            self.walk.failed = failure.step
        return self.walk

    async def _serial(self) -> None:
        meter = self.reader.meter
        quantity = meter.profile.serial
        if quantity is None or not quantity.checked:
            self._note("serial", f"the meter tells none: compare {meter.serial} with its plate")
            return
        words = await self._read("serial", (quantity,))
        told = _decoded("serial", lambda: digits(words[quantity], quantity=quantity, layout=meter.profile.layout))
        if not same_serial(told, meter.serial):
            raise StepFailed("serial", f"another meter answers: it says {told}, the site file {meter.serial}")
        self._note("serial", told)

    async def _reading(self) -> None:
        meter = self.reader.meter
        words = await self._read("reading", meter.profile.swept)
        reading = _decoded("reading", lambda: reading_of(meter, words, read_at=self.now(), told=Told()))
        if reading.register is None:
            raise AssertionError("a register was read, and made into something else")
        self.walk.register_milliwh = reading.register.import_milliwh
        self._note("reading", f"{self.walk.register_milliwh} mWh")

    async def _relay(self) -> None:
        meter, relay = self.reader.meter, self.reader.meter.profile.relay
        if relay is None:
            self._note("relay", "the meter has none")
            return
        state = await self._state(relay)
        if state != "closed":
            raise StepFailed("relay", f"it reads {state} before anything was done; let the ledger close it first")
        if meter.protected:
            self.walk.relay = "protected"
            self._note("relay", "closed; not tripped, this supply is protected")
            return
        before_w = await self._load()
        self._note("load", f"{before_w} W")
        try:
            await self._switch("trip", relay, "open")
            self.walk.relay = "tripped"
            await self._fallen(before_w)
        finally:
            # Whatever came of the trip: found closed, left closed. A close that fails is the news that counts.
            await self._switch("close", relay, "close")

    async def _load(self) -> int:
        """Wait until there is a load that could fall."""
        load_w = await self._power("load")
        until_s = _clock() + self.timeout_s
        while load_w < self.min_load_w:
            if _clock() >= until_s:
                raise StepFailed("load", f"{load_w} W, less than {self.min_load_w} W; switch something on, and again")
            await asyncio.sleep(_PAUSE_S)
            load_w = await self._power("load")
        self.walk.load_before_w = load_w
        return load_w

    async def _fallen(self, before_w: int) -> None:
        until_s = _clock() + self.timeout_s
        while True:
            left_w = self.walk.load_open_w = await self._power("load-falls")
            if left_w <= before_w // _LEFT_DIVISOR:
                self._note("load-falls", f"{before_w} W to {left_w} W")
                return
            if _clock() >= until_s:
                raise StepFailed(
                    "load-falls",
                    f"{left_w} W of {before_w} W still flow with the relay open: the meter, its wiring or its profile"
                    " is another",
                )
            await asyncio.sleep(_PAUSE_S)

    async def _switch(self, step: str, relay: Relay, action: RelayAction) -> None:
        async def superseded() -> bool:
            return False

        switched = await Switch(
            bus=self.reader.bus,
            meter=self.reader.meter,
            relay=relay,
            action=action,
            expires_at=self.now() + timedelta(hours=1),
            timeout_s=self.timeout_s,
            now=self.now,
            superseded=superseded,
        ).run()
        if switched.outcome != "confirmed":
            raise StepFailed(step, f"{switched.detail}; it must read {WANTED[action]}")
        self._note(step, f"the relay reads {switched.readback}")

    async def _state(self, relay: Relay) -> str:
        function = self.reader.meter.profile.read_function
        try:
            words = await self.reader.read_words(
                function=function, address=relay.state_address, count=1, retries=_RETRIES
            )
        except RequestFailed as error:
            raise StepFailed("relay", str(error)) from None
        return relay_state(words[0], relay=relay)

    async def _power(self, step: str) -> int:
        profile = self.reader.meter.profile
        power = next((q for q in profile.measures if q.name == "power" and q.unit in _WATTS), None)
        if power is None:
            raise StepFailed(step, f"profile {profile.name} knows no power, so a load that falls cannot be seen")
        words = await self._read(step, (power, *profile.multipliers))
        multipliers = _decoded(step, lambda: multipliers_of(profile, words) if power.multiplied_by else {})
        read = _decoded(
            step,
            lambda: value(words[power], quantity=power, layout=profile.layout, multiplier=factor(power, multipliers)),
        )
        return abs(round(read * _WATTS[power.unit]))

    async def _read(self, step: str, wanted: tuple[Quantity, ...]) -> dict[Quantity, tuple[int, ...]]:
        needed = tuple(quantity for quantity in wanted if quantity not in self.reader.meter.profile.periods)
        try:
            return await self.reader.read(wanted, retries=_RETRIES, needed=needed)
        except RequestFailed as error:
            raise StepFailed(step, str(error)) from None

    def _note(self, step: str, found: str) -> None:
        self.walk.steps.append((step, found))
        self.told(step, found)


def record_of(
    walk: Walk, *, meter: Meter, concentrator: str, collector: str, operator: str, at: datetime
) -> CommissioningRecord:
    """Make the record of a walk, not signed yet."""
    return CommissioningRecord(
        supply=meter.supply,
        meter=meter.serial,
        concentrator=concentrator,
        collector=collector,
        operator=operator,
        commissioned_at=at,
        passed=walk.passed,
        failed=walk.failed,
        register_milliwh=walk.register_milliwh,
        relay=walk.relay,
        load_before_w=walk.load_before_w,
        load_open_w=walk.load_open_w,
    )


def _decoded(step: str, decode: Callable[[], T]) -> T:
    try:
        return decode()
    except DecodeError as error:
        raise StepFailed(step, str(error)) from None


def _clock() -> float:
    return asyncio.get_running_loop().time()
