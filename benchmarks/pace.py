"""How fast a number grows while others work: sampled, and told as a steady rate."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.errors import BenchmarkFailed

_EVERY_S = 0.05
# The first and the last of it are left out: the start of a worker, and the batches at the end that are not full, or
# that one worker still has when another has no more.
_FROM, _TO = 0.1, 0.9


@dataclass(slots=True)
class Pace:
    """Samples of a growing number: seconds, and how much there was more than at first."""

    times_s: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How much it grew in all."""
        return self.counts[-1]

    @property
    def per_s(self) -> float:
        """The steady rate, between the first tenth of the growth and the last."""
        first = next(i for i, count in enumerate(self.counts) if count >= self.total * _FROM)
        last = next(i for i, count in enumerate(self.counts) if count >= self.total * _TO)
        if last <= first:
            raise BenchmarkFailed(f"{self.total} were too few to see a rate; measure more of them")
        return (self.counts[last] - self.counts[first]) / (self.times_s[last] - self.times_s[first])


def paced(measured: Callable[[], int], *, until: int, stall_s: float = 600.0, check: Callable[[], None]) -> Pace:
    """Watch a number until it has reached a value; `check` raises where waiting is in vain.

    However much there is to do, it may take its time; raises BenchmarkFailed where for so long nothing came of it.
    """
    pace = Pace()
    began, first = time.monotonic(), measured()
    grown_at = began
    while True:
        now, count = time.monotonic(), measured()
        if pace.counts and count - first > pace.counts[-1]:
            grown_at = now
        pace.times_s.append(now - began)
        pace.counts.append(count - first)
        if count >= until:
            return pace
        check()
        if now - grown_at > stall_s:
            raise BenchmarkFailed(
                f"{count - first} of {until - first}, and none for {stall_s:g} s; see the roles' logs"
            )
        time.sleep(_EVERY_S)
