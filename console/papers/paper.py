"""A page's content without its form: title, facts, tables and notes. HTML and PDF are made from the same."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from ledger.values.energy import kwh_from_milliwh
from ledger.values.money import decimal_from_micros, minor_unit_micros
from projections.statements.statement import shown_micros

Align = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: its heading, how it is aligned, and its share of the width."""

    heading: str
    align: Align
    width: int


@dataclass(frozen=True, slots=True)
class Row:
    """A table's row; a strong one is a sum."""

    cells: Sequence[str]
    is_strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a heading above it."""

    heading: str
    columns: Sequence[Column]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Paper:
    """What a page says; `language` is `en` or `zh`."""

    language: str
    title: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    notes: Sequence[str] = field(default_factory=list)
    page_words: str = "{page} / {pages}"

    @property
    def texts(self) -> list[str]:
        """Everything that it says, in order."""
        found = [self.title, *(text for fact in self.facts for text in fact)]
        for table in self.tables:
            found += [table.heading, *(column.heading for column in table.columns)]
            found += [cell for row in table.rows for cell in row.cells]
        return [text for text in (*found, *self.notes) if text]


def money(amount_micros: int, *, currency: str) -> str:
    """Write an amount as it is shown: rounded to the currency's smallest coin, thousands apart."""
    digits = 7 - len(str(minor_unit_micros(currency)))
    return f"{decimal_from_micros(shown_micros(amount_micros, currency=currency)):,.{digits}f}"


def exact(amount_micros: int) -> str:
    """Write an amount with all its micro-units."""
    return f"{decimal_from_micros(amount_micros):,.6f}"


def kwh(energy_milliwh: int | None) -> str:
    """Write an energy in kilowatt-hours: three places, more where it has more; a dash for none."""
    if energy_milliwh is None:
        return "–"
    places = 3 if energy_milliwh % 1_000 == 0 else 6
    return f"{kwh_from_milliwh(energy_milliwh):,.{places}f}"


def moment(instant: datetime, *, zone: str) -> str:
    """Write an instant in a zone, to the minute."""
    return instant.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")
