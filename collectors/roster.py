"""Which meters of a bus are asked in a sweep: one that is dead costs the others one time-out now and then."""

from dataclasses import dataclass, field

from collectors.modbus import TIMEOUT
from collectors.site import Meter

# A meter that stayed silent in this many sweeps running rests, then is tried once, and rests again.
_SILENCES_UNTIL_REST = 2
_SWEEPS_OF_REST = 12
# Only these tell that nobody is there; a meter that refuses or mumbles is alive and costs no time-out.
_SILENCE = (TIMEOUT, "connection-lost", "gateway-path", "gateway-silence")


@dataclass(slots=True)
class _Condition:
    """How a meter has been answering."""

    silences: int = 0
    rest: int = 0


@dataclass(slots=True, kw_only=True)
class Roster:
    """The meters of one bus and how each has been answering."""

    meters: tuple[Meter, ...]
    _conditions: dict[str, _Condition] = field(default_factory=dict)
    _next_probe: int = 0

    def due(self, *, all_meters: bool) -> list[Meter]:
        """Return the meters to ask in this sweep; where all of them rest, one in turn: perhaps the bus is back."""
        if all_meters:
            return list(self.meters)
        due = []
        for meter in self.meters:
            condition = self._of(meter)
            if condition.rest == 0:
                due.append(meter)
            condition.rest = max(0, condition.rest - 1)
        if not due and self.meters:
            due = [self.meters[self._next_probe % len(self.meters)]]
            self._next_probe += 1
        return due

    def in_doubt(self, meter: Meter) -> bool:
        """Tell whether a meter was silent when it was last asked: then one attempt is enough."""
        return self._of(meter).silences > 0

    def answered(self, meter: Meter) -> None:
        """Note an answer, of any kind; where all were resting the bus itself was away, and all are asked again."""
        if all(self._of(other).silences >= _SILENCES_UNTIL_REST for other in self.meters):
            for other in self.meters:
                self._of(other).rest = 0
        self._conditions[meter.serial] = _Condition()

    def failed(self, meter: Meter, *, reason: str) -> None:
        """Note that a meter brought no reading, and why."""
        if reason not in _SILENCE:
            self._conditions[meter.serial] = _Condition()
            return
        condition = self._of(meter)
        condition.silences += 1
        condition.rest = _SWEEPS_OF_REST if condition.silences >= _SILENCES_UNTIL_REST else 0

    def _of(self, meter: Meter) -> _Condition:
        return self._conditions.setdefault(meter.serial, _Condition())
