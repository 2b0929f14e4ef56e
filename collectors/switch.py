"""Switching a relay and reading it back: what is reported is what was read, never what was written."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from collectors.decode import relay_state
from collectors.errors import RequestFailed
from collectors.modbus import Bus
from collectors.profile import Relay
from collectors.site import Meter
from ledger.wire import RelayAction, RelayOutcome

ReadBack = Literal["open", "closed", "unknown"]
_RETRY_PAUSE_S = 0.3
# The state that each action asks for.
WANTED: dict[RelayAction, ReadBack] = {"open": "open", "close": "closed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched:
    """How an attempt to switch ended, with the relay's state as last read."""

    outcome: RelayOutcome
    readback: ReadBack
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One relay to be brought into a state before a deadline."""

    bus: Bus
    meter: Meter
    relay: Relay
    action: RelayAction
    expires_at: datetime
    timeout_s: float
    now: Callable[[], datetime]
    superseded: Callable[[], Awaitable[bool]]

    async def run(self) -> Switched:
        """Write and read back until the relay is as ordered, time is up, or a newer order has come."""
        started_s = asyncio.get_running_loop().time()
        readback: ReadBack = "unknown"
        detail = ""
        while True:
            if await self.superseded():
                return Switched(outcome="superseded", readback=readback, detail="a newer order was accepted")
            if self.now() >= self.expires_at:
                return Switched(outcome="expired" if not detail else "failed", readback=readback, detail=detail)
            readback, detail = await self._once()
            if readback == WANTED[self.action]:
                return Switched(outcome="confirmed", readback=readback)
            if asyncio.get_running_loop().time() - started_s >= self.timeout_s:
                return Switched(outcome="failed", readback=readback, detail=detail)
            await asyncio.sleep(_RETRY_PAUSE_S)

    async def state(self) -> tuple[ReadBack, str]:
        """Read the relay's state; "unknown" with the reason where that fails."""
        try:
            (word,) = await self.bus.read(
                unit=self.meter.unit,
                function=self.meter.profile.read_function,
                address=self.relay.state_address,
                count=1,
                urgent=True,
                timeout_s=self.meter.request_timeout_s,
            )
        except RequestFailed as error:
            return "unknown", f"read-back failed: {error}"
        state = relay_state(word, relay=self.relay)
        return state, f"the relay reads {state} (word {word:04x}) after it was written"

    async def _once(self) -> tuple[ReadBack, str]:
        words = self.relay.open_words if self.action == "open" else self.relay.close_words
        failure = ""
        try:
            await self.bus.write(
                unit=self.meter.unit, address=self.relay.address, words=words, timeout_s=self.meter.request_timeout_s
            )
        except RequestFailed as error:
            # The write may have arrived all the same; only the read-back tells.
            failure = f"write failed: {error}; "
        readback, detail = await self.state()
        return readback, failure + detail
