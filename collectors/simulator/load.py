"""What a household draws: a day's curve, a household's size, and noise from a seeded generator. Integers only."""

import random
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

# Watts at each hour of the day for a middling household: asleep, breakfast, work, dinner.
_MORNING_W = (160, 140, 130, 125, 130, 170, 320, 560, 480, 340, 300, 320)
_EVENING_W = (420, 360, 300, 310, 390, 620, 980, 1150, 1040, 760, 460, 250)
_HOURLY_W = (*_MORNING_W, *_EVENING_W)
_KETTLE_W = 1800
_VOLTAGE_DECIVOLTS = 2300


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """A household's habits, decided by a seed and its meter's serial."""

    seed: int
    serial: str

    def power_w(self, at: datetime) -> int:
        """Return the power drawn at a moment in watts; the same moment always gives the same."""
        now_w, next_w = _HOURLY_W[at.hour], _HOURLY_W[(at.hour + 1) % 24]
        curve_w = now_w + (next_w - now_w) * at.minute // 60
        size_percent, noise_percent, kettle = self._minute(int(at.timestamp()) // 60)
        return curve_w * size_percent // 100 * noise_percent // 100 + (_KETTLE_W if kettle else 0)

    def voltage_decivolts(self, at: datetime) -> int:
        """Return the mains voltage at a moment in tenths of a volt."""
        _, noise_percent, _ = self._minute(int(at.timestamp()) // 60)
        return _VOLTAGE_DECIVOLTS + (noise_percent - 100) // 2

    def opening_milliwh(self) -> int:
        """Return what the register showed on the first day: meters are rarely new."""
        return random.Random(f"{self.seed}:{self.serial}:opening").randrange(100_000_000, 9_000_000_000)  # noqa: S311

    def _minute(self, minute: int) -> tuple[int, int, bool]:
        return _drawn(f"{self.seed}:{self.serial}", minute)


@lru_cache(maxsize=4096)
def _drawn(household: str, minute: int) -> tuple[int, int, bool]:
    """Return size and noise in percent, and whether the kettle is on. Nothing here is secret: `random` will do."""
    size_percent = random.Random(household).randrange(60, 161)  # noqa: S311
    chance = random.Random(f"{household}:{minute}")  # noqa: S311
    return size_percent, chance.randrange(70, 131), chance.randrange(100) < 3
