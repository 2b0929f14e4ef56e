"""What was metered over a span beside its total energy, cut into atoms by the versions in force.

Registers per time-of-use period bill as they counted: each is cut at local midnights and where versions change, not
at the calendar's hours. Everything else is cut by the calendar and apportioned. What a version has no price for makes
no atoms of that version.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from ledger.rating.compiled import CompiledTariff
from ledger.rating.days import local_days
from ledger.rating.lines import Atom, Line
from ledger.rating.segment import Rule, pieces_by, shared

_APPORTIONED = ", apportioned by time"
_SUMMED = ", sum of the time-of-use registers"
_ENERGIES = ("kWh", "kvarh", "kVAh")


class Quantities(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a span's reading says beside its energy; None where it does not say.

    `periods` are milliwatt-hours by time-of-use register: where there are any, they are the energy. `demand_w` is the
    highest demand that was measured by the end of the span.
    """

    periods: dict[str, int] = {}
    reactive_millivarh: int | None = None
    apparent_millivah: int | None = None
    demand_w: int | None = None


NO_QUANTITIES = Quantities()


def part_of(quantities: Quantities, numerator: int, denominator: int) -> Quantities:
    """Return the floor of a share of everything but the demand, which was measured by the end."""

    def floor(quantity: int | None) -> int | None:
        return None if quantity is None else quantity * numerator // denominator

    return Quantities(
        periods={name: energy * numerator // denominator for name, energy in quantities.periods.items()},
        reactive_millivarh=floor(quantities.reactive_millivarh),
        apparent_millivah=floor(quantities.apparent_millivah),
    )


def cut_by_energy(quantities: Quantities, energy_milliwh: int, whole_milliwh: int) -> Quantities:
    """Return the part of quantities that goes with some of a span's energy; periods add up to it."""
    taken, seen = 0, 0
    periods: dict[str, int] = {}
    for name, energy in quantities.periods.items():
        seen += energy
        upto = energy_milliwh * seen // whole_milliwh
        periods[name], taken = upto - taken, upto
    return msgspec.structs.replace(part_of(quantities, energy_milliwh, whole_milliwh), periods=periods)


def less(quantities: Quantities, part: Quantities) -> Quantities:
    """Return what is left of quantities after a part of them; the demand stays with it."""
    return _combined(quantities, part, -1)


def more(quantities: Quantities | None, later: Quantities | None) -> Quantities | None:
    """Return the quantities of two parts of a span together."""
    if quantities is None or later is None:
        return quantities or later
    return _combined(quantities, later, 1)


def _combined(quantities: Quantities, other: Quantities, sign: int) -> Quantities:
    def added(one: int | None, two: int | None) -> int | None:
        return one if two is None else (one or 0) + sign * two

    names = {**quantities.periods, **other.periods}
    return Quantities(
        periods={name: quantities.periods.get(name, 0) + sign * other.periods.get(name, 0) for name in names},
        reactive_millivarh=added(quantities.reactive_millivarh, other.reactive_millivarh),
        apparent_millivah=added(quantities.apparent_millivah, other.apparent_millivah),
        demand_w=quantities.demand_w if other.demand_w is None else other.demand_w,
    )


class Version(NamedTuple):
    """From an instant on, usage is rated by this tariff version."""

    starts: datetime
    tariff: CompiledTariff


class Span(NamedTuple):
    """Usage of a half-open span in UTC; `is_part` where it was cut out of a longer one by time."""

    start: datetime
    end: datetime
    energy_milliwh: int
    quantities: Quantities = NO_QUANTITIES
    is_part: bool = False


Numbered = tuple[int, Atom]


def segment_span(versions: Sequence[Version], span: Span) -> list[Numbered]:
    """Cut a span into atoms, each with the number of its version, ascending in version and time.

    The first version must be in force at the span's start, and a version's calendar must know the registers' periods.
    """
    rules = [Rule(version.starts, version.tariff.days) for version in versions]
    pieces, numbers = pieces_by(rules, start=span.start, end=span.end)
    quantities = span.quantities
    energies = shared(pieces, 0 if quantities.periods else span.energy_milliwh)
    reactive = shared(pieces, quantities.reactive_millivarh or 0)
    apparent = shared(pieces, quantities.apparent_millivah or 0)
    last = len(pieces) - 1
    atoms = _by_register(versions, span) if quantities.periods else []
    for at, (number, piece) in enumerate(zip(numbers, pieces, strict=True)):
        tariff = versions[number].tariff
        atom = Atom(
            start=piece.start,
            end=piece.end,
            energy_milliwh=energies[at],
            period=piece.period,
            time_of_use=piece.time_of_use,
            reactive_millivarh=reactive[at] if "kvarh" in tariff.needs else 0,
            apparent_millivah=apparent[at] if "kVAh" in tariff.needs else 0,
            demand_w=quantities.demand_w if at == last and "kW" in tariff.needs else None,
        )
        if not quantities.periods or _says_something(atom):
            atoms.append((number, atom))
    # Registers' atoms stand before what else was metered from the same instant on.
    return sorted(atoms, key=_place) if quantities.periods else atoms


def _place(numbered: Numbered) -> tuple[int, datetime]:
    return numbered[0], numbered[1].start


def _says_something(atom: Atom) -> bool:
    return bool(atom.reactive_millivarh or atom.apparent_millivah) or atom.demand_w is not None


def _by_register(versions: Sequence[Version], span: Span) -> list[Numbered]:
    """Return the registers' atoms; a version without a calendar prices their sum."""
    rules = [Rule(version.starts, local_days(version.tariff.days.zone)) for version in versions]
    pieces, numbers = pieces_by(rules, start=span.start, end=span.end)
    shares = {name: shared(pieces, energy) for name, energy in span.quantities.periods.items()}
    found: list[Numbered] = []
    for at, (number, piece) in enumerate(zip(numbers, pieces, strict=True)):
        calendar = versions[number].tariff.tariff.calendar
        if calendar is None:
            energies = {"": sum(share[at] for share in shares.values())}
        else:
            energies = {name: shares[name][at] for name in calendar.periods if name in shares}
        found += [
            (number, Atom(piece.start, piece.end, energy, piece.period, name))
            for name, energy in energies.items()
            if energy
        ]
    return found


def unknown_periods(versions: Sequence[Version], quantities: Quantities) -> list[str]:
    """Name the registers' periods that a version's calendar does not know."""
    calendars = [version.tariff.tariff.calendar for version in versions]
    return [
        name
        for name in quantities.periods
        if any(calendar is not None and name not in calendar.periods for calendar in calendars)
    ]


def told(lines: list[Line], atoms: Sequence[Numbered], versions: Sequence[Version], span: Span) -> list[Line]:
    """Return the lines of a span, with their rules saying what was apportioned, or summed from registers."""
    windows = {_window(versions[number].tariff, number, atom) for number, atom in atoms}
    is_cut = {
        "kWh": not span.quantities.periods and len({atom.time_of_use for _, atom in atoms}) > 1,
        "kvarh": len({atom.time_of_use for _, atom in atoms if atom.reactive_millivarh}) > 1,
        "kVAh": len({atom.time_of_use for _, atom in atoms if atom.apparent_millivah}) > 1,
    }
    summing = {
        (version.tariff.tariff.code, version.tariff.version)
        for version in versions
        if span.quantities.periods and version.tariff.tariff.calendar is None
    }
    found: list[Line] = []
    for line in lines:
        rule = line.rule
        if line.unit == "kWh" and (line.tariff, line.version) in summing:
            rule += _SUMMED
        if line.unit in _ENERGIES and (span.is_part or len(windows) > 1 or (line.time_of_use and is_cut[line.unit])):
            rule += _APPORTIONED
        found.append(line if rule == line.rule else msgspec.structs.replace(line, rule=rule))
    return found


def _window(tariff: CompiledTariff, number: int, atom: Atom) -> tuple[object, ...]:
    """Return what an atom's price depends on by its time, other than its time-of-use period."""
    yearly = [ladder for ladder in tariff.ladders if ladder.window == "year"]
    if not yearly:
        return number, atom.period
    day = atom.start.astimezone(tariff.days.zone).date()
    return number, atom.period, *(ladder.year_key(day) for ladder in yearly)
