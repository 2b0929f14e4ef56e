"""A pace for looks that cost more than they tell when taken at every turn."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic


@dataclass(slots=True)
class Pace:
    """Lets something be done once in `interval_s`, and the first time at once."""

    interval_s: float
    clock: Callable[[], float] = monotonic
    due_at_s: float = float("-inf")

    def is_due(self) -> bool:
        """Tell whether it is time, and if it is, count the interval from now."""
        now_s = self.clock()
        if now_s < self.due_at_s:
            return False
        self.due_at_s = now_s + self.interval_s
        return True
