"""Usage as it is given from outside: an interval with its quantities, cut into atoms by a tariff's calendar."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger.rating.compiled import CompiledTariff
from ledger.rating.days import Slot, local_days
from ledger.rating.lines import Atom
from ledger.rating.segment import clipped, shared
from ledger.values.errors import InvalidValue
from ledger.values.instants import in_utc

_MICROSECOND = timedelta(microseconds=1)
# mWh in an hour are mW; there are 3.6 × 10⁹ microseconds in one.
_MICROSECONDS_PER_HOUR = 3_600_000_000
_MILLI = 1_000
# Local days at the calendar's own ends could not be worked out.
_FIRST_YEAR, _LAST_YEAR = 1900, 9000


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage of a half-open span; `period` names the time-of-use register it was read from, empty for none.

    `demand_w` is the highest demand measured by the end of the span, None where none was measured.
    """

    start: datetime
    end: datetime
    import_milliwh: int
    period: str = ""
    reactive_millivarh: int = 0
    apparent_millivah: int = 0
    demand_w: int | None = None


def segment_usage(compiled: CompiledTariff, usage: Usage) -> list[Atom]:
    """Cut usage at local midnights and, where no register names the period, at time-of-use boundaries.

    Every quantity is apportioned linearly and conserved. Raises InvalidValue for a span that ends before it starts,
    a negative quantity, or a period that the tariff does not know.
    """
    start, end = in_utc(usage.start), in_utc(usage.end)
    _check(compiled, usage, start, end)
    days = local_days(compiled.days.zone) if usage.period else compiled.days
    pieces = clipped(days.slots(start, end), start, end)
    energies = shared(pieces, usage.import_milliwh)
    reactive, apparent = shared(pieces, usage.reactive_millivarh), shared(pieces, usage.apparent_millivah)
    last = len(pieces) - 1
    return [
        Atom(
            start=piece.start,
            end=piece.end,
            energy_milliwh=energies[number],
            period=piece.period,
            time_of_use=usage.period or piece.time_of_use,
            reactive_millivarh=reactive[number],
            apparent_millivah=apparent[number],
            demand_w=_demand_w(compiled, usage, pieces) if number == last else None,
        )
        for number, piece in enumerate(pieces)
    ]


def segment_usages(compiled: CompiledTariff, usages: Sequence[Usage]) -> list[tuple[int, Atom]]:
    """Cut usages into atoms in the order of time, each with the number of the usage that it is of.

    Atoms that begin together, those of registers by time-of-use period, stand in the order of the tariff's periods
    and before what no register names: as live readings are rated, in whatever order the usages are given. Raises
    InvalidValue.
    """
    calendar = compiled.tariff.calendar
    ranks = {name: rank for rank, name in enumerate(() if calendar is None else calendar.periods)}
    atoms = [
        (number, ranks.get(usage.period, len(ranks)), atom)
        for number, usage in enumerate(usages)
        for atom in segment_usage(compiled, usage)
    ]
    atoms.sort(key=lambda row: (row[2].start, row[1]))
    return [(number, atom) for number, _, atom in atoms]


def _check(compiled: CompiledTariff, usage: Usage, start: datetime, end: datetime) -> None:
    if end < start:
        raise InvalidValue(f"usage from {start.isoformat()} ends at {end.isoformat()}, before it; give start and end")
    if start.year < _FIRST_YEAR or end.year > _LAST_YEAR:
        raise InvalidValue(
            f"usage from {start.isoformat()} to {end.isoformat()} is beyond any meter; check its years"
        )
    for name in ("import_milliwh", "reactive_millivarh", "apparent_millivah"):
        if getattr(usage, name) < 0:
            raise InvalidValue(
                f"usage from {start.isoformat()} has {name} {getattr(usage, name)}; it cannot be negative"
            )
    periods = () if compiled.tariff.calendar is None else compiled.tariff.calendar.periods
    if usage.period and usage.period not in periods:
        raise InvalidValue(
            f"usage from {start.isoformat()} is of period {usage.period!r}; tariff {compiled.tariff.code!r} knows"
            f" {list(periods)}"
        )


def _demand_w(compiled: CompiledTariff, usage: Usage, pieces: list[Slot]) -> int | None:
    """Return the demand that a register says, or that an aligned interval of just the right length shows."""
    if usage.demand_w is not None:
        return usage.demand_w
    start, end = pieces[0].start, pieces[-1].end
    return interval_demand_w(compiled, start=start, end=end, energy_milliwh=usage.import_milliwh)


def interval_demand_w(compiled: CompiledTariff, *, start: datetime, end: datetime, energy_milliwh: int) -> int | None:
    """Return the mean power of an aligned interval of the length that a demand charge asks for, in whole watts."""
    length = (end - start) // _MICROSECOND
    for _, thing in compiled.demands:
        asked = thing.interval_min * 60 * 1_000_000
        if asked and length == asked and _is_aligned(compiled, start, thing.interval_min):
            return energy_milliwh * _MICROSECONDS_PER_HOUR // (length * _MILLI)
    return None


def _is_aligned(compiled: CompiledTariff, start: datetime, interval_min: int) -> bool:
    local = start.astimezone(compiled.days.zone)
    return local.minute % interval_min == 0 and local.second == 0 and local.microsecond == 0
