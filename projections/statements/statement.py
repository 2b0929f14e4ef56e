"""A month's statement of an account: values alone. Amounts are micro-units, energies milliwatt-hours.

On every column, opening plus movements is closing, to the micro-unit.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from ledger.integrity.proof import Proof
from ledger.values.money import decimal_from_micros, micros_from_decimal, minor_unit_micros, rounded_to_minor_unit


@dataclass(slots=True)
class Standing:
    """What an account has (`balance`) and owes beside it: debt, accrued charges; and its tax on advances."""

    balance_micros: int = 0
    debt_micros: int = 0
    accrued_micros: int = 0
    advance_tax_micros: int = 0

    def add(self, other: "Standing") -> None:
        """Add another one, column by column."""
        self.balance_micros += other.balance_micros
        self.debt_micros += other.debt_micros
        self.accrued_micros += other.accrued_micros
        self.advance_tax_micros += other.advance_tax_micros


@dataclass(slots=True)
class Movement:
    """What all events of a kind change."""

    kind: str
    events: int = 0
    change: Standing = field(default_factory=Standing)


@dataclass(frozen=True, slots=True)
class MoneyEvent:
    """An event beside usage: a top-up, what took it away, a refund, debt agreed."""

    position: int
    at: datetime
    kind: str
    channel: str
    about_position: int
    change: Standing


@dataclass(slots=True)
class RegisterSpan:
    """A meter's registers as the month found and left them; None where it gives intervals."""

    meter: str
    multiplier: str
    started_at: datetime
    ended_at: datetime
    opening_milliwh: int | None
    closing_milliwh: int | None


@dataclass(frozen=True, slots=True)
class LineKey:
    """What lines are added up by; a correction's differences have no price and no quantity."""

    component: str
    unit: str
    price: str
    block: str
    time_of_use: str
    tariff: str
    version: int
    is_tax: bool
    is_allowance: bool
    is_at_payment: bool
    is_correction: bool


def _place(key: LineKey) -> tuple[bool, bool, bool, str, str, str, int, str]:
    share = key.is_tax or key.unit == "%"
    # Versions before prices: a price is a text, and the month's earlier one comes first.
    words = (key.component, key.time_of_use, key.block, key.version, key.price)
    return (key.is_correction, key.is_allowance, share, *words)


@dataclass(slots=True)
class LineSum:
    """What the lines of a key come to."""

    quantity: Decimal = Decimal(0)
    amount_micros: int = 0


@dataclass(slots=True)
class SupplyPart:
    """What a supply point was charged for."""

    supply: str
    usage_milliwh: int = 0
    registers: list[RegisterSpan] = field(default_factory=list)
    lines: dict[LineKey, LineSum] = field(default_factory=dict)

    @property
    def ordered_lines(self) -> list[tuple[LineKey, LineSum]]:
        """Its lines as every month shows them: charges, what is a share of them, then corrections."""
        return sorted(self.lines.items(), key=lambda line: _place(line[0]))

    @property
    def amount_micros(self) -> int:
        """What its lines come to."""
        return sum(row.amount_micros for row in self.lines.values())


@dataclass(slots=True)
class TaxPart:
    """A tax or levy: what fell due at supply, at payment, and what of the latter consumption released."""

    component: str
    at_supply_micros: int = 0
    at_payment_micros: int = 0
    released_micros: int = 0


@dataclass(slots=True, kw_only=True)
class Statement:
    """An account's accounting month, as the events up to `position` have it.

    `is_final`: the month is closed, so nothing can enter it any more. `events` of the account are in the month, the
    newest one is at `last_position`; where there is none, that is the last before. `proof` proves that event, None
    while it is not sealed yet.
    """

    account: str
    site: str
    currency: str
    month: str
    zone: str
    position: int
    is_final: bool
    events: int = 0
    last_position: int = 0
    opening: Standing = field(default_factory=Standing)
    closing: Standing = field(default_factory=Standing)
    movements: list[Movement] = field(default_factory=list)
    money: list[MoneyEvent] = field(default_factory=list)
    supplies: list[SupplyPart] = field(default_factory=list)
    taxes: list[TaxPart] = field(default_factory=list)
    proof: Proof | None = None

    @property
    def rounding_micros(self) -> int:
        """What the shown movements lack to lead from the shown opening to the shown closing balance."""
        shown = [self.opening, *(row.change for row in self.movements)]
        return self.shown(self.closing.balance_micros) - sum(self.shown(row.balance_micros) for row in shown)

    @property
    def carry_forward_micros(self) -> int:
        """What the closing balance has beyond the figure that is shown."""
        return self.closing.balance_micros - self.shown(self.closing.balance_micros)

    def shown(self, amount_micros: int) -> int:
        """Return an amount as it is shown: rounded half away from zero to the currency's smallest coin."""
        return shown_micros(amount_micros, currency=self.currency)


def shown_micros(amount_micros: int, *, currency: str) -> int:
    """Return an amount rounded half away from zero to the currency's smallest coin, in micro-units."""
    digits = 7 - len(str(minor_unit_micros(currency)))
    return micros_from_decimal(rounded_to_minor_unit(decimal_from_micros(amount_micros), minor_digits=digits))
