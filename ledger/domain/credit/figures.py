"""An account's figures, as a decision on its credit needs them. Amounts are micro-units."""

from dataclasses import dataclass
from datetime import datetime

from ledger.domain.credit.policy import CreditPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFigures:
    """An account at a position of the ledger.

    `emergency_limit_micros` is the emergency credit that was taken and not repaid yet, 0 for none. `debt_micros` is
    what is owed beside the balance, `accrued_micros` what accrued while the supply was off. `collected_micros` is
    what instalments and top-ups repaid in the local week `collected_week` (`2026-W47`).
    `time_charges_micros` are what the calendar alone charged for the newest day that it did, at `time_charged_at`.
    """

    balance_micros: int
    disputed_micros: int = 0
    is_disputed: bool = False
    notice_until: datetime | None = None
    debt_micros: int = 0
    accrued_micros: int = 0
    emergency_limit_micros: int = 0
    collected_micros: int = 0
    collected_week: str = ""
    time_charges_micros: int = 0
    time_charged_at: datetime | None = None

    @property
    def usable_micros(self) -> int:
        """What there is, with what is disputed given back."""
        return self.balance_micros + self.disputed_micros


def emergency_limit(policy: CreditPolicy, figures: AccountFigures) -> int:
    """Return how far below the line an account may go now: what was taken, or what is taken by itself."""
    if figures.emergency_limit_micros:
        return figures.emergency_limit_micros
    is_automatic = policy.emergency is not None and policy.emergency.taken == "automatic"
    return policy.emergency.limit_micros if policy.emergency is not None and is_automatic else 0


def line_micros(policy: CreditPolicy, figures: AccountFigures) -> int:
    """Return the balance at which, and below which, an account's supplies may be cut."""
    return policy.cut_at_micros - emergency_limit(policy, figures)


def is_spared(figures: AccountFigures, now: datetime) -> bool:
    """Tell whether a dispute or a notice keeps an account from being cut."""
    return figures.is_disputed or (figures.notice_until is not None and now < figures.notice_until)
