"""A ledger as a plain list: what a person with a spreadsheet would keep of two flats and their tenants.

Money is micro-units, energy milliwatt-hours. Nothing here knows of events, streams, counters or atoms.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction

# Per kWh and so micro-units per mWh, and the tax on it.
PRICE = Fraction("0.617")
VAT = Fraction(13, 100)


def charged_micros(energy_milliwh: int) -> int:
    """What a month's energy costs: each component rounded by itself, half away from zero."""
    energy = energy_milliwh * PRICE
    return sum(int(part + Fraction(1, 2)) for part in (energy, energy * VAT))


def month_of(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m}"


@dataclass(frozen=True)
class Row:
    """A movement of an account's balance: when it took effect, when it was booked, in which month of the books."""

    account: str
    change_micros: int
    effective: datetime
    recorded: datetime
    effective_month: str
    month: str


@dataclass
class PlainBooks:
    """Rows, the energy of each account's months, and what is debt."""

    rows: list[Row] = field(default_factory=list)
    energy_milliwh: dict[tuple[str, str], int] = field(default_factory=dict)
    debt_micros: dict[str, int] = field(default_factory=dict)
    closed_to: str = ""
    closed_micros: dict[str, dict[str, int]] = field(default_factory=dict)

    def use(self, account: str, *, change_milliwh: int, month: str, ended: datetime, now: datetime) -> None:
        """Energy of a month becomes known to be more, or less, than was known."""
        before = self.energy_milliwh.get((account, month), 0)
        after = self.energy_milliwh[account, month] = before + change_milliwh
        self._book(account, charged_micros(before) - charged_micros(after), effective=ended, month=month, now=now)

    def pay(self, account: str, amount_micros: int, *, now: datetime) -> None:
        self._book(account, amount_micros, effective=now, month=month_of(now), now=now)

    def undo(self, account: str, amount_micros: int, *, now: datetime) -> None:
        """What is not spent comes off the balance, the rest is debt."""
        left = min(max(self.balance(account), 0), amount_micros)
        self.debt_micros[account] = self.debt_micros.get(account, 0) + amount_micros - left
        self._book(account, -left, effective=now, month=month_of(now), now=now)

    def close(self, month: str) -> None:
        self.closed_to = month
        accounts = {row.account for row in self.rows}
        self.closed_micros[month] = {
            account: sum(row.change_micros for row in self.rows if row.account == account and row.month <= month)
            for account in accounts
        }

    def balance(self, account: str) -> int:
        return sum(row.change_micros for row in self.rows if row.account == account)

    def _book(self, account: str, change_micros: int, *, effective: datetime, month: str, now: datetime) -> None:
        booked_in = month if month > self.closed_to else following(self.closed_to)
        self.rows.append(Row(account, change_micros, effective, now, month, booked_in))


def following(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12}-{number % 12 + 1:02}"


def end_of(month: str) -> datetime:
    after = following(month)
    return datetime(int(after[:4]), int(after[5:]), 1, tzinfo=UTC)
