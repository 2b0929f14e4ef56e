"""What can only be checked when a whole tariff file is read: names, bases, cycles, and time-of-use periods."""

from collections.abc import Mapping, Sequence

from ledger.rating.calendar import Calendar
from ledger.rating.components import (
    ALWAYS,
    AccountClass,
    Allowance,
    BlockCharge,
    Charge,
    Component,
    DemandCharge,
    Derived,
    FlatCharge,
    FreeUnits,
    Levy,
    Minimum,
    TimeOfUseCharge,
)
from ledger.rating.document import Reader

Placed = Sequence[tuple[str, Component]]


def check(
    reader: Reader,
    *,
    charges: Sequence[tuple[str, Charge]],
    derived: Sequence[tuple[str, Derived]],
    classes: Sequence[tuple[str, AccountClass]],
    calendar: Calendar | None,
) -> None:
    """Tell the reader what does not fit together."""
    placed: Placed = [*charges, *derived]
    names = [thing.component for _, thing in placed]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        reader.wrong(f"component {name!r} is there more than once; give each its own name")
    by_name = {thing.component: thing for _, thing in placed}
    for place, thing in derived:
        _check_bases(reader, place, thing, by_name)
    _check_cycles(reader, by_name)
    _check_allowances(reader, derived)
    for place, charge in charges:
        _check_periods(reader, place, charge, calendar)
    _check_classes(reader, classes, {charge.component for _, charge in charges})


def _check_bases(reader: Reader, place: str, thing: Derived, by_name: Mapping[str, Component]) -> None:
    for name in thing.on:
        base = by_name.get(name)
        if base is None or name == thing.component:
            reader.wrong(
                f"{place}.on names {name!r}, which is no charge; known: {sorted(set(by_name) - {thing.component})}"
            )
            continue
        if isinstance(thing, FreeUnits) and not is_per_kwh(base):
            reader.wrong(
                f"{place}.on names {name!r}, which has no price per kWh that could be waived; name one that has"
            )
        if isinstance(thing, Levy) and thing.percent is None and not isinstance(base, Charge | Levy):
            reader.wrong(f"{place}.on names {name!r}, which charges no energy; name a charge per kWh")
        elif isinstance(thing, Levy) and thing.percent is None and not is_per_kwh(base):
            reader.wrong(f"{place}.on names {name!r}, which charges no kWh; name a charge per kWh")
        if isinstance(thing, Minimum | Allowance) and isinstance(base, Minimum):
            reader.wrong(f"{place}.on names {name!r}, a minimum, known at the period's close only; leave it out")
        if isinstance(thing, Allowance) and isinstance(base, Allowance):
            reader.wrong(f"{place}.on names {name!r}, an allowance; name what it pays for")


def is_per_kwh(thing: Component) -> bool:
    """Tell whether a component has a price per kilowatt-hour."""
    if isinstance(thing, FlatCharge | TimeOfUseCharge):
        return thing.unit == "kWh"
    if isinstance(thing, BlockCharge):
        return thing.mode == "cumulative"
    return isinstance(thing, Levy) and thing.price_per_kwh is not None


def _check_cycles(reader: Reader, by_name: Mapping[str, Component]) -> None:
    """Tell each cycle once: components that wait for one another have no amount."""
    told: set[frozenset[str]] = set()
    walked: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            cycle = path[path.index(name) :]
            if frozenset(cycle) not in told and len(cycle) > 1:
                told.add(frozenset(cycle))
                reader.wrong(f"{' → '.join((*cycle, name))} is a cycle; take one of them off the other's 'on'")
            return
        if name in walked:
            return
        for base in getattr(by_name[name], "on", ()):
            if base in by_name:
                walk(base, (*path, name))
        walked.add(name)

    for name in by_name:
        walk(name, ())


def _check_allowances(reader: Reader, derived: Sequence[tuple[str, Derived]]) -> None:
    """Two allowances on one base would give it back twice, and so would free units."""
    for kind in (Allowance, FreeUnits):
        taken: dict[str, str] = {}
        for place, thing in derived:
            if isinstance(thing, kind):
                for base in thing.on:
                    if base in taken:
                        reader.wrong(
                            f"{place}.on names {base!r}, which {taken[base]} gives back too; leave it in one"
                        )
                    taken[base] = place


def _check_periods(reader: Reader, place: str, charge: Charge, calendar: Calendar | None) -> None:
    periods = set() if calendar is None else set(calendar.periods)
    known = f"known: {sorted(periods)}" if calendar else "add a [time_of_use] table first"
    if isinstance(charge, FlatCharge | BlockCharge | DemandCharge):
        for name in charge.periods:
            if name not in periods:
                reader.wrong(f"{place}.periods names {name!r}; {known}")
    if isinstance(charge, TimeOfUseCharge):
        _check_prices(reader, f"{place}.prices", set(charge.prices), periods, known)
    if isinstance(charge, BlockCharge):
        wanted = set(charge.periods) or periods
        for number, block in enumerate(charge.blocks, 1):
            if set(block.prices) != {ALWAYS}:
                _check_prices(reader, f"{place}.blocks[{number}].prices", set(block.prices), wanted, known)


def _check_prices(reader: Reader, place: str, priced: set[str], wanted: set[str], known: str) -> None:
    for name in sorted(priced - wanted):
        reader.wrong(f"{place} names period {name!r}; {known}")
    for name in sorted(wanted - priced) if priced else ():
        reader.wrong(f"{place} has no price for period {name!r}; add it")


def _check_classes(reader: Reader, classes: Sequence[tuple[str, AccountClass]], charges: set[str]) -> None:
    names: set[str] = set()
    for place, row in classes:
        if row.name in names:
            reader.wrong(f"{place}.name {row.name!r} is there already; give each class its own name")
        names.add(row.name)
        for base in row.on:
            if base not in charges:
                reader.wrong(f"{place}.on names {base!r}, which is no charge; known: {sorted(charges)}")
