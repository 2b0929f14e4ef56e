"""A ledger as a plain list: what a person with a spreadsheet would keep of two flats and their tenants.

Money is micro-units, energy milliwatt-hours. Nothing here knows of events, streams, counters or atoms.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction

# Per kWh and so micro-units per mWh, and the tax on it.
PRICE = Fraction("0.617")
VAT = Fraction(13, 100)
DAY_MICROS = 500_000


def charged_micros(energy_milliwh: int) -> int:
    """What a month's energy costs: each component rounded by itself, half away from zero."""
    energy = energy_milliwh * PRICE
    return sum(int(part + Fraction(1, 2)) for part in (energy, energy * VAT))


def month_of(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m}"


def first_of(month: str) -> datetime:
    return datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """A movement of an account's balance: when it took effect, when it was booked, in which month of the books."""

    account: str
    change_micros: int
    effective: datetime
    recorded: datetime
    effective_month: str
    month: str


@dataclass(frozen=True)
class Usage:
    """Energy between two readings of a register, in one month."""

    start: datetime
    end: datetime
    opening_milliwh: int
    milliwh: int

    @property
    def month(self) -> str:
        return month_of(self.start)

    def cut(self, at: datetime, register_milliwh: int) -> tuple["Usage", "Usage"]:
        """What was used before an instant at which the register was read, and after it."""
        before = register_milliwh - self.opening_milliwh
        return (
            Usage(self.start, at, self.opening_milliwh, before),
            Usage(at, self.end, register_milliwh, self.milliwh - before),
        )


@dataclass
class PlainBooks:
    """Rows, the energy of each account's months, and what is debt."""

    rows: list[Row] = field(default_factory=list)
    energy_milliwh: dict[tuple[str, str], int] = field(default_factory=dict)
    debt_micros: dict[str, int] = field(default_factory=dict)
    closed_to: str = ""
    closed_micros: dict[str, dict[str, int]] = field(default_factory=dict)

    def use(
        self, account: str, *, change_milliwh: int, month: str, ended: datetime, now: datetime, counters: str = ""
    ) -> None:
        """Energy of a month becomes known to be more, or less, than was known."""
        change = self._charge(counters or account, month, change_milliwh)
        self._book(account, change, effective=ended, month=month, now=now)

    def charge_days(self, account: str, *, days: int, month: str, ended: datetime, now: datetime) -> None:
        """Whole days that somebody lived somewhere."""
        self._book(account, -days * DAY_MICROS, effective=ended, month=month, now=now)

    def hand_over(
        self,
        *,
        giver: str,
        taker: str,
        moved_milliwh: dict[str, int],
        giver_days: int,
        taker_days: int,
        at: datetime,
        now: datetime,
    ) -> None:
        """What was charged to one is charged to another from an instant on; both are counters such as `anna#2`."""
        changes = {giver: giver_days * DAY_MICROS, taker: -taker_days * DAY_MICROS}
        for month, milliwh in moved_milliwh.items():
            changes[giver] += self._charge(giver, month, -milliwh)
            changes[taker] += self._charge(taker, month, milliwh)
        for counters, change in changes.items():
            self._book(counters.partition("#")[0], change, effective=at, month=month_of(at), now=now)

    def _charge(self, counters: str, month: str, change_milliwh: int) -> int:
        """Return what a change of a month's energy does to the balance."""
        before = self.energy_milliwh.get((counters, month), 0)
        after = self.energy_milliwh[counters, month] = before + change_milliwh
        return charged_micros(before) - charged_micros(after)

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
    return first_of(following(month))
