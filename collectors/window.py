"""Go-back-N towards the ledger: what may be published next, decided without I/O or a clock.

The ledger takes a collector's sweeps of a concentrator in sequence only and answers every one, applied or not,
with the sequence it has applied. So a sweep lost on the way shows as an acknowledgement that stays put, or as
silence; both mean: publish again from the first that is not acknowledged. Times are monotonic seconds.
"""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Window:
    """One concentrator's sweeps in flight: acknowledged ≤ published ≤ acknowledged + allowance."""

    size: int
    timeout_s: float
    timeout_max_s: float
    acknowledged: int
    published: int
    allowance: int
    patience_s: float
    waiting_since_s: float | None = None
    went_back: bool = False
    repeats: int = 0

    @classmethod
    def starting_at(cls, acknowledged: int, *, size: int, timeout_s: float, timeout_max_s: float) -> "Window":
        """Begin with everything up to `acknowledged` applied and nothing in flight."""
        return cls(
            size=size,
            timeout_s=timeout_s,
            timeout_max_s=timeout_max_s,
            acknowledged=acknowledged,
            published=acknowledged,
            allowance=size,
            patience_s=timeout_s,
        )

    @property
    def room(self) -> int:
        """How many more sweeps may go out now."""
        return self.allowance - (self.published - self.acknowledged)

    @property
    def outstanding(self) -> bool:
        """Whether something published waits for its acknowledgement."""
        return self.published > self.acknowledged

    def sent(self, sequence: int, *, now_s: float) -> None:
        """Take note that a sweep goes out; sweeps go out in sequence."""
        if sequence != self.published + 1:
            raise AssertionError(f"sweep {sequence} was published after {self.published}")
        self.published = sequence
        if self.waiting_since_s is None:
            self.waiting_since_s = now_s

    def acked(self, sequence: int, *, now_s: float) -> bool:
        """Take in an acknowledgement; returns whether it moved us forward."""
        if sequence > self.acknowledged:
            self.acknowledged = sequence
            self.published = max(self.published, sequence)
            self.allowance = min(self.size, self.allowance * 2)
            self.patience_s, self.went_back = self.timeout_s, False
            self.waiting_since_s = now_s if self.outstanding else None
            return True
        # The ledger saw something out of sequence. Go back at once, but once only until it moves on: each sweep
        # of the stretch that it refused brings such an answer, and to repeat on each would be a storm.
        if sequence == self.acknowledged and self.outstanding and not self.went_back:
            self._go_back()
        return False

    def tick(self, *, now_s: float) -> bool:
        """Go back when the ledger has been silent for too long; returns whether that was so."""
        if self.waiting_since_s is None or now_s - self.waiting_since_s < self.patience_s:
            return False
        self.patience_s = min(self.patience_s * 2, self.timeout_max_s)
        # A ledger that is away for a day shall not find a day of repeats: one sweep knocks until it answers.
        self.allowance = 1
        self._go_back()
        return True

    def restart(self) -> None:
        """Forget what was published but not acknowledged: the connection that took it is gone."""
        self.published = self.acknowledged
        self.waiting_since_s = None

    def _go_back(self) -> None:
        self.restart()
        self.went_back = True
        self.repeats += 1
