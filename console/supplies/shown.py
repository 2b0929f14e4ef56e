"""A supply point as an operator reads it: meters, occupants and terms, each from when to when."""

from datetime import datetime
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from ledger.domain.supply import Supply


def show_supply(supply: Supply) -> None:
    """Print a supply point; energies in kWh, as they count behind its transformers."""
    console = Console()
    console.print(f"supply point {supply.code}: site {supply.site}, concentrator {supply.concentrator}")
    console.print(f"commissioned: {_commissioned(supply)}")
    meters = Table("meter", "times", "from", "opening kWh", "to", "closing kWh", title="meters", title_justify="left")
    for spell in supply.spells:
        meters.add_row(
            spell.meter.meter,
            str(spell.multiplier),
            _at(spell.starts),
            _kwh(spell.opening_milliwh),
            "" if spell.ends is None else _at(spell.ends),
            "" if spell.ends is None else _kwh(spell.closing_milliwh),
        )
    people = Table("account", "from", "register kWh", "", title="who pays", title_justify="left")
    for row in supply.occupancies:
        register = "apportioned" if row.opening_milliwh is None else _kwh(row.opening_milliwh)
        people.add_row(row.account, _at(row.occupied_from), register, "vacant" if row.is_vacant else "")
    terms = Table("tariff", "from", title="terms", title_justify="left")
    for one in supply.terms:
        terms.add_row(one.tariff, _at(one.effective_from))
    for table in (meters, people, terms):
        console.print(table)


def _commissioned(supply: Supply) -> str:
    found = supply.commissioning
    if found is None:
        return "not yet"
    when = f"{_at(found.commissioned_at)} by {found.operator}"
    return f"{when}, relay {found.relay}" if found.passed else f"failed at {found.failed}, {when}"


def _kwh(milliwh: int | None) -> str:
    return "not read" if milliwh is None else f"{Decimal(milliwh).scaleb(-6).normalize():f}"


def _at(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")
