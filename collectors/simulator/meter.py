"""A simulated Acrel DDSY1352: its energy, its relay and its registers, with time as an argument."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from collectors.simulator.load import Household

# The map, 0-based, high word first (Acrel DDSY1352/DTSY1352); see profiles/acrel_ddsy1352.toml for confidence.
ENERGY = 0x0000  # five u32 × 0.01 kWh: total, sharp, peak, flat, valley
MEASURES = 0x000B  # U × 0.1 V, I × 0.01 A, P × 0.001 kW
RUN_STATE = 0x0022  # bit 0: relay open (our reading: the source does not say which bit)
NUMBER = 0x0043  # meter number, 12 BCD digits in 3 words
PREPAY = 0x0046  # alarm levels, overdraft, purchase count at 0x004E, remaining amount at 0x004F: raw
CONTROL = 0x0057  # [1, 1] opens, [1, 0] closes, first word 0 leaves forced mode
MAX_POWER = 0x0061
LAST = MAX_POWER
_PURCHASES = 3
_REMAINING = 5_000

MILLIWH_PER_COUNT = 10_000
_MILLIWATT_MICROSECONDS_PER_MILLIWH = 3_600 * 1_000_000
_PERIODS = ("sharp", "peak", "flat", "valley")


def period_of(hour: int) -> str:
    """Return the time-of-use register that runs in an hour of the simulated day."""
    if hour in (19, 20):
        return "sharp"
    if hour in (8, 9, 10, 17, 18, 21):
        return "peak"
    return "valley" if hour < 7 or hour == 23 else "flat"


@dataclass(slots=True, kw_only=True)
class SimulatedMeter:
    """One meter; energy is integer milliwatt-hours, and what a step leaves over is carried to the next."""

    serial: str
    unit: int
    household: Household
    at: datetime
    opening_milliwh: int
    total_milliwh: int
    periods_milliwh: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_PERIODS, 0))
    control: tuple[int, int] = (0, 0)
    _left_over: int = 0

    @property
    def relay_open(self) -> bool:
        """Whether the supply is cut; outside forced mode the relay is closed."""
        return self.control == (1, 1)

    @property
    def register_counts(self) -> int:
        """What the total register shows: whole counts of 0.01 kWh."""
        return self.total_milliwh // MILLIWH_PER_COUNT

    def power_w(self) -> int:
        """Return the power drawn now; nothing flows through an open relay."""
        return 0 if self.relay_open else self.household.power_w(self.at)

    def advance(self, span: timedelta) -> None:
        """Let simulated time pass at the present load."""
        milliwatts = self.power_w() * 1000
        self._left_over += milliwatts * (span // timedelta(microseconds=1))
        used_milliwh, self._left_over = divmod(self._left_over, _MILLIWATT_MICROSECONDS_PER_MILLIWH)
        self.total_milliwh += used_milliwh
        self.periods_milliwh[period_of(self.at.hour)] += used_milliwh
        self.at += span

    def write_control(self, first: int, second: int) -> bool:
        """Switch the relay; returns False for words that the meter does not know."""
        if first not in (0, 1) or second not in (0, 1):
            return False
        self.control = (first, second) if first else (0, 0)
        return True

    def registers(self) -> list[int]:
        """Return the words of addresses 0x0000 to 0x0061 as they stand now; unmapped ones are 0."""
        words = [0] * (LAST + 1)
        energies = (self.total_milliwh, *(self.periods_milliwh[name] for name in _PERIODS))
        for index, energy_milliwh in enumerate(energies):
            counts = energy_milliwh // MILLIWH_PER_COUNT & 0xFFFF_FFFF
            words[ENERGY + 2 * index] = counts >> 16
            words[ENERGY + 2 * index + 1] = counts & 0xFFFF
        power_w = self.power_w()
        decivolts = self.household.voltage_decivolts(self.at)
        words[MEASURES : MEASURES + 3] = [decivolts, power_w * 1000 // decivolts, power_w]
        words[RUN_STATE] = 1 if self.relay_open else 0
        words[NUMBER : NUMBER + 3] = [int(self.serial[index : index + 4], 16) for index in (0, 4, 8)]
        words[PREPAY + 8 : PREPAY + 11] = [_PURCHASES, 0, _REMAINING]
        words[CONTROL : CONTROL + 2] = self.control
        return words
