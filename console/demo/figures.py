"""The demo's figures, and whether they agree: energy on the registers is energy billed, and the books balance."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path

from ledger.values.energy import MILLIWH_PER_WH


@dataclass(frozen=True, slots=True)
class Quantiles:
    """The median and the 99th percentile in seconds; None where there was nothing to measure."""

    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Latency:
    """How long things took, in seconds."""

    reading_to_balance: Quantiles
    top_up_to_relay: Quantiles


@dataclass(frozen=True, slots=True)
class DemoFigures:
    """What the demo did; energies in watt-hours, the trial balance as a decimal string in currency units."""

    readings_published: int
    debits: int
    top_ups: int
    webhooks_booked: int
    automatic_top_ups: int
    receipts: int
    disconnections_confirmed: int
    reconnections_confirmed: int
    protected_balance: str
    protected_cuts: int
    held_readings: int
    trial_balance: str
    energy_on_registers_wh: int
    energy_billed_wh: int
    energy_held_wh: int
    lag_events: int
    latency_s: Latency

    def failures(self) -> list[str]:
        """Say what does not hold; nothing where the demo shows what it promises."""
        checks = {
            "no disconnection was confirmed by a read-back": self.disconnections_confirmed >= 1,
            "no reconnection was confirmed by a read-back": self.reconnections_confirmed >= 1,
            "no payment that a provider's webhook told of was booked": self.webhooks_booked >= 1,
            "no card was charged by itself": self.automatic_top_ups >= 1,
            "no receipt was left": self.receipts >= 1,
            f"the protected supply was ordered off {self.protected_cuts} times": self.protected_cuts == 0,
            f"the trial balance is {self.trial_balance}, not zero": Decimal(self.trial_balance) == 0,
            f"{self.lag_events} events are not projected": self.lag_events == 0,
            f"{self.energy_on_registers_wh} Wh on the registers are not {self.energy_billed_wh} Wh billed and "
            f"{self.energy_held_wh} Wh held": self.energy_on_registers_wh
            == self.energy_billed_wh + self.energy_held_wh,
        }
        return [failure for failure, holds in checks.items() if not holds]

    def write(self, path: Path) -> None:
        """Write the figures as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def quantiles(values: Sequence[float]) -> Quantiles:
    """Return the median and the 99th percentile by nearest rank."""
    if not values:
        return Quantiles(None, None)
    ranked = sorted(values)
    p50, p99 = (ranked[max(0, math.ceil(share * len(ranked)) - 1)] for share in (0.50, 0.99))
    return Quantiles(round(p50, 4), round(p99, 4))


def energy_on_registers_wh(state_file: Path) -> int:
    """Return what the simulated registers advanced since they opened, in watt-hours."""
    meters = json.loads(state_file.read_text())["meters"].values()
    milliwh = sum(int(meter["register_milliwh"]) - int(meter["opening_milliwh"]) for meter in meters)
    return exact_wh(milliwh)


def exact_wh(milliwh: int) -> int:
    """Convert milliwatt-hours that are whole watt-hours; anything else would hide a difference."""
    if milliwh % MILLIWH_PER_WH:
        raise AssertionError(f"{milliwh} mWh are no whole watt-hours, though registers advance by 10 Wh")
    return milliwh // MILLIWH_PER_WH
