"""Running the simulator: clocks, freezing, the state file, and the servers' beginning and end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import structlog

from collectors.errors import BadFile
from collectors.signals import until_stopped
from collectors.simulator.face import Face, face_of
from collectors.simulator.load import Household
from collectors.simulator.meter import MILLIWH_PER_COUNT, SimulatedMeter
from collectors.simulator.served import problem_with, served
from collectors.simulator.state import MeterState, SimulatorState, read_state, write_state
from collectors.site import Site, read_site

log = structlog.get_logger(__name__)

_STATE_INTERVAL_S = 1.0
# Coarser steps would miss the day's curve when simulated time runs fast.
_STEP = timedelta(minutes=5)


class Simulator:
    """All meters of a site; simulated time runs `speed` times as fast as the clock."""

    def __init__(
        self,
        *,
        site: Site,
        speed: float,
        seed: int,
        before: SimulatorState | None,
        clock_s: Callable[[], float],
        start: datetime | None = None,
    ) -> None:
        self._speed = speed
        self._clock_s = clock_s
        self._caught_up_s = clock_s()
        self.frozen = before is not None and before.frozen
        started_at = start or datetime.now(UTC)
        self.meters: dict[str, SimulatedMeter] = {}
        self.faces: dict[str, Face] = {}
        for meter in (meter for concentrator in site.concentrators for meter in concentrator.meters):
            household = Household(seed=seed, serial=meter.serial)
            known = before.meters.get(meter.serial) if before else None
            face = face_of(meter.profile)
            self.faces[meter.serial] = face
            self.meters[meter.serial] = _meter(household, meter.unit, started_at, known, face)

    def catch_up(self) -> None:
        """Bring every meter to the present; once frozen, none moves again."""
        now_s = self._clock_s()
        span = timedelta(seconds=(now_s - self._caught_up_s) * self._speed)
        self._caught_up_s = now_s
        if self.frozen:
            return
        while span > timedelta(0):
            step = min(span, _STEP)
            for meter in self.meters.values():
                meter.advance(step)
            span -= step

    def freeze(self) -> None:
        """Stop all registers for good, at one moment."""
        self.catch_up()
        self.frozen = True

    def state(self) -> SimulatorState:
        """Return what the registers show now."""
        self.catch_up()
        return SimulatorState(
            frozen=self.frozen, meters={s: _meter_state(m, self.faces[s]) for s, m in self.meters.items()}
        )


def _meter(household: Household, unit: int, at: datetime, known: MeterState | None, face: Face) -> SimulatedMeter:
    if known is None:
        # The opening is what the register shows, so that its difference to the last is what can be billed.
        opening = household.opening_milliwh() // MILLIWH_PER_COUNT * MILLIWH_PER_COUNT
        meter = SimulatedMeter(
            serial=household.serial,
            unit=unit,
            household=household,
            at=at,
            opening_milliwh=opening,
            total_milliwh=opening,
        )
        meter.opening_milliwh = face.shown_milliwh(meter)
        meter.periods_milliwh["flat"] = opening
        return meter
    return SimulatedMeter(
        serial=household.serial,
        unit=unit,
        household=household,
        at=at,
        opening_milliwh=known.opening_milliwh,
        total_milliwh=known.total_milliwh,
        periods_milliwh=dict(known.periods_milliwh),
        control=known.control,
    )


def _meter_state(meter: SimulatedMeter, face: Face) -> MeterState:
    return MeterState(
        register_counts=face.shown_milliwh(meter) // MILLIWH_PER_COUNT,
        register_milliwh=face.shown_milliwh(meter),
        opening_milliwh=meter.opening_milliwh,
        relay="open" if meter.relay_open else "closed",
        total_milliwh=meter.total_milliwh,
        periods_milliwh=dict(meter.periods_milliwh),
        control=meter.control,
    )


@asynccontextmanager
async def simulating(
    *,
    site: Site,
    speed: float = 1.0,
    seed: int = 1,
    state_file: Path | None = None,
    clock_s: Callable[[], float] = monotonic,
    start: datetime | None = None,
    packets: tuple[str, ...] = (),
) -> AsyncIterator[Simulator]:
    """Serve a site's concentrators on their lines for as long as the block runs.

    Simulated time begins at `start`, now if not given: what households draw depends on the hour. `packets` are the
    registrations of terminals that dial in, `{id}` standing for the name; usual ones are tried if none is given.

    Raises BadFile for what cannot be simulated or a broken state file, CollectorError where a port is taken.
    """
    _check(site, packets)
    before = read_state(state_file) if state_file else None
    simulator = Simulator(site=site, speed=speed, seed=seed, before=before, clock_s=clock_s, start=start)
    plans = {plan.id: plan for plan in site.listeners}
    async with AsyncExitStack() as stack:
        for concentrator in site.concentrators:
            meters = [(simulator.meters[m.serial], simulator.faces[m.serial]) for m in concentrator.meters]
            await stack.enter_async_context(
                served(concentrator, meters=meters, catch_up=simulator.catch_up, plans=plans, packets=packets)
            )
        yield simulator


async def simulate(
    *,
    site_file: Path,
    speed: float,
    seed: int,
    state_file: Path | None,
    start: datetime | None = None,
    packets: tuple[str, ...] = (),
) -> None:
    """Run the simulator until SIGTERM or SIGINT; SIGUSR1 freezes it and writes its state at once."""
    site = read_site(site_file)
    async with simulating(
        site=site, speed=speed, seed=seed, state_file=state_file, start=start, packets=packets
    ) as simulator:
        log.info("simulating", concentrators=len(site.concentrators), meters=len(simulator.meters), speed=speed)

        def freeze() -> None:
            simulator.freeze()
            _keep(simulator, state_file)
            log.info("frozen")

        await until_stopped(_keep_often(simulator, state_file), on_usr1=freeze)
        _keep(simulator, state_file)


async def _keep_often(simulator: Simulator, state_file: Path | None) -> None:
    while True:
        _keep(simulator, state_file)
        await asyncio.sleep(_STATE_INTERVAL_S)


def _keep(simulator: Simulator, state_file: Path | None) -> None:
    if state_file is not None:
        write_state(state_file, simulator.state())


def _check(site: Site, packets: tuple[str, ...]) -> None:
    """Refuse what cannot be simulated: serials that a kind of meter cannot have, and lines without what they need."""
    plans = {plan.id: plan for plan in site.listeners}
    wrong = []
    for concentrator in site.concentrators:
        if problem := problem_with(concentrator, plans=plans, packets=packets):
            wrong.append(f"{concentrator.id}: {problem}")
        for meter in concentrator.meters:
            if problem := face_of(meter.profile).problem_with(meter.serial):
                wrong.append(f"{concentrator.id}: serial {meter.serial!r} {problem}")
    if wrong:
        raise BadFile(path="the site file", errors=wrong)
