"""What synthetic meters showed, sweep by sweep, and what that must cost: a model apart from the ledger's code."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from ledger import wire
from tests.estate import OPENING_MILLIWH

COLLECTOR = "test.1"
_ZONE = ZoneInfo("Asia/Shanghai")
# 0.617 per kWh and 13% on it, in micro-units per milliwatt-hour, as tests.estate.FLAT_TARIFF says.
_PRICES = {"energy": Fraction("0.617"), "vat": Fraction("0.617") * 13 / 100}
_SWEEP_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Cost:
    """Energy in milliwatt-hours, and micro-units per component."""

    energy_milliwh: int = 0
    amounts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Truth:
    """Every sweep of every concentrator, in order; meters are named `<supply>-m`."""

    opened_at: datetime
    sweeps: dict[str, list[wire.Sweep]]

    def readings_of(self, supply: str) -> Iterator[tuple[datetime, int]]:
        for sweep in self.sweeps[supply.split("-", maxsplit=1)[0]]:
            for reading in sweep.readings:
                if reading.register is not None and reading.register.meter == f"{supply}-m":
                    yield reading.register.read_at, reading.register.import_milliwh

    def cost_of(self, supply: str) -> Cost:
        """Cost the supply from scratch: energy per billing period, each rounded once."""
        at, register = self.opened_at, OPENING_MILLIWH
        periods: dict[str, int] = {}
        for read_at, shown in self.readings_of(supply):
            for period, energy in _apportioned(at, read_at, shown - register):
                periods[period] = periods.get(period, 0) + energy
            at, register = read_at, shown
        return Cost(
            energy_milliwh=register - OPENING_MILLIWH,
            amounts={
                name: sum(_rounded(price * energy) for energy in periods.values()) for name, price in _PRICES.items()
            },
        )


def make_truth(
    meters: Mapping[str, Sequence[str]], *, sweeps: int, seed: int = 1, boundary_after: int | None = None
) -> Truth:
    """Make up sweeps of concentrators (with their meters' serials) across the local beginning of this month."""
    chance = random.Random(seed)
    month = (datetime.now(_ZONE) - timedelta(days=2)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    opened_at = month.astimezone(UTC) - _SWEEP_EVERY * (boundary_after or sweeps // 2) - timedelta(seconds=17)
    registers = {meter: OPENING_MILLIWH for serials in meters.values() for meter in serials}
    found: dict[str, list[wire.Sweep]] = {}
    for concentrator, serials in meters.items():
        found[concentrator] = []
        for sequence in range(1, sweeps + 1):
            readings = []
            for serial in serials:
                registers[serial] += chance.choice((0, 1, 10_000, chance.randrange(50_000)))
                read_at = opened_at + _SWEEP_EVERY * sequence + timedelta(milliseconds=chance.randrange(900))
                register = wire.RegisterReading(meter=serial, read_at=read_at, import_milliwh=registers[serial])
                readings.append(wire.Reading(register=register))
            found[concentrator].append(
                wire.Sweep(concentrator=concentrator, collector=COLLECTOR, sequence=sequence, readings=readings)
            )
    return Truth(opened_at, found)


def _apportioned(start: datetime, end: datetime, energy_milliwh: int) -> Iterator[tuple[str, int]]:
    """Split usage where a local month begins; spans here are minutes, so there is one such cut at most."""
    first, last = (at.astimezone(_ZONE).strftime("%Y-%m") for at in (start, end))
    if first == last:
        yield first, energy_milliwh
        return
    cut = end.astimezone(_ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    micros = timedelta(microseconds=1)
    before = energy_milliwh * ((cut - start) // micros) // ((end - start) // micros)
    yield first, before
    yield last, energy_milliwh - before


def _rounded(amount: Fraction) -> int:
    """Half away from zero; amounts here are not negative."""
    return int(amount + Fraction(1, 2))
