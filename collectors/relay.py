"""The relay lane: orders judged in the order they come, carried out side by side, one at a time per supply."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from collectors.errors import SpoolError
from collectors.metrics import CollectorMetrics
from collectors.modbus import Bus
from collectors.order_memory import OrderMemory
from collectors.right_meter import wrong_serial
from collectors.side_by_side import end
from collectors.site import Meter
from collectors.switch import WANTED, Switch, Switched
from collectors.verify import Answer, AnswerAgain, OrderDesk, Verdict
from ledger import wire

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class RelayLane:
    """Takes orders for one collector's concentrators and puts their results into the spool."""

    desk: OrderDesk
    memory: OrderMemory
    buses: dict[str, Bus]
    timeout_s: float
    metrics: CollectorMetrics
    results_wake: asyncio.Event
    now: Callable[[], datetime]
    _at_work: dict[tuple[str, int], "asyncio.Task[None]"] = field(default_factory=dict)
    _supplies: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def take(self, order: wire.RelayCommand) -> None:
        """Judge an order and set about it; returns before its meter is switched. Others' orders are passed over."""
        if order.concentrator not in self.buses:
            return
        if (order.supply, order.sequence) in self._at_work:
            return  # The ledger repeats what it has no result of; this one's result is on its way.
        try:
            verdict = await asyncio.to_thread(self.desk.judge, order, now=self.now())
            await self._act(order, verdict)
        except SpoolError as error:
            # Not remembered means not switched: the relay stays as it is, and the ledger will send again.
            self.metrics.relay_orders.labels("not-remembered").inc()
            log.error("order left alone", order=str(order.order), supply=order.supply, error=str(error))

    async def settled(self) -> None:
        """Return when no order is being carried out."""
        while self._at_work:
            await asyncio.wait(self._at_work.values())

    async def stop(self) -> None:
        """End what is under way; those orders have no result yet and may be carried out again."""
        await end(self._at_work.values())

    async def _act(self, order: wire.RelayCommand, verdict: Verdict) -> None:
        if isinstance(verdict, Answer):
            switched = Switched(outcome=verdict.outcome, readback="unknown", detail=verdict.detail)
            await self._conclude(order, self._result(order, switched))
        elif isinstance(verdict, AnswerAgain):
            await self._conclude(order, verdict.result)
        else:
            key = (order.supply, order.sequence)
            task = asyncio.create_task(self._carry_out(order, verdict.meter, again=verdict.again))
            self._at_work[key] = task
            task.add_done_callback(lambda _: self._at_work.pop(key, None))

    async def _carry_out(self, order: wire.RelayCommand, meter: Meter, *, again: bool) -> None:
        async with self._supplies.setdefault(order.supply, asyncio.Lock()):
            try:
                switched = await self._switched(order, meter, again=again)
                await self._conclude(order, self._result(order, switched))
            except SpoolError as error:
                self.metrics.relay_orders.labels("not-remembered").inc()
                log.error("order's result not kept", order=str(order.order), error=str(error))

    async def _switched(self, order: wire.RelayCommand, meter: Meter, *, again: bool) -> Switched:
        relay = meter.profile.relay
        if relay is None:
            raise AssertionError("an order for a meter without a relay was let through")

        async def superseded() -> bool:
            return await asyncio.to_thread(self.memory.highest_sequence, order.supply) > order.sequence

        switch = Switch(
            bus=self.buses[order.concentrator],
            meter=meter,
            relay=relay,
            action=order.action,
            expires_at=order.expires_at,
            timeout_s=self.timeout_s,
            now=self.now,
            superseded=superseded,
        )
        if again and self.now() >= order.expires_at and not await superseded():
            # Interrupted by a restart: the meter may have been switched before, and only it can tell.
            readback, detail = await switch.state()
            outcome: wire.RelayOutcome = "confirmed" if readback == WANTED[order.action] else "expired"
            return Switched(outcome=outcome, readback=readback, detail=detail)
        told = await wrong_serial(self.buses[order.concentrator], meter)
        if told is not None:
            detail = f"serial: the meter at unit {meter.unit} says {told}, the order is for {meter.serial}"
            return Switched(outcome="refused", readback="unknown", detail=detail)
        return await switch.run()

    def _result(self, order: wire.RelayCommand, switched: Switched) -> wire.RelayResult:
        return wire.RelayResult(
            order=order.order,
            supply=order.supply,
            meter=order.meter,
            concentrator=order.concentrator,
            outcome=switched.outcome,
            readback=switched.readback,
            at=self.now(),
            detail=switched.detail,
        )

    async def _conclude(self, order: wire.RelayCommand, result: wire.RelayResult) -> None:
        await asyncio.to_thread(self.memory.conclude, order, result)
        self.metrics.relay_orders.labels(result.outcome).inc()
        self.results_wake.set()
        log.info(
            "relay order", supply=order.supply, action=order.action, outcome=result.outcome, detail=result.detail
        )
