"""Where an account stands by its policy: what is left, how low that is, what would bring its supplies back on.

Amounts are micro-units. "Usable" is the balance with what is disputed given back, for as long as it is disputed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ledger.domain.credit.policy import CreditPolicy

Emergency = Literal["none", "offered", "taken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFigures:
    """An account at a position of the ledger.

    `emergency_limit_micros` is the emergency credit that was taken and not repaid yet, 0 for none. `debt_micros` is
    what is owed beside the balance, `accrued_micros` what accrued while the supply was off. `collected_micros` is
    what instalments and top-ups repaid in the local week `collected_week` (`2026-W47`).
    `time_charges_micros` are the debits at the balance's newest end that time alone caused: with them given back, the
    account would stand where its usage brought it.
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

    @property
    def usable_micros(self) -> int:
        """What there is, with what is disputed given back."""
        return self.balance_micros + self.disputed_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditStanding:
    """What a decision on an account's supplies needs.

    At `threshold_micros` or below it a supply that is on may be cut, emergency credit in use counted; one that is off
    for credit comes back above `reconnect_above_micros`. `warning_level` 0 is none, 1 the first and highest level.
    Of `emergency_limit_micros`, `emergency_used_micros` are used. While `friendly_until` is set nobody is cut, until
    that instant; `friendly_from` is when the next such time begins, if within a fortnight. `is_spared`: a dispute is
    open, or a notice runs. `needed_micros` is the least top-up that brings the supplies back on, 0 where
    credit does not hold them off.
    """

    balance_micros: int
    usable_micros: int
    threshold_micros: int
    reconnect_above_micros: int
    warning_level: int = 0
    warning_micros: int = 0
    emergency: Emergency = "none"
    emergency_limit_micros: int = 0
    emergency_used_micros: int = 0
    friendly_until: datetime | None = None
    friendly_from: datetime | None = None
    is_spared: bool = False
    needed_micros: int = 0

    @property
    def is_out(self) -> bool:
        """Whether nothing is left, emergency credit counted."""
        return self.usable_micros <= self.threshold_micros

    @property
    def may_be_cut(self) -> bool:
        """Whether a supply that is on may be cut for credit now; protection and the rest are another matter."""
        return self.is_out and self.friendly_until is None and not self.is_spared

    @property
    def may_come_back(self) -> bool:
        """Whether a supply that is off for credit has enough to come back."""
        return self.usable_micros > self.reconnect_above_micros


def credit_standing(policy: CreditPolicy, figures: AccountFigures, now: datetime) -> CreditStanding:
    """Return where an account stands by its policy at an instant."""
    threshold = policy.cut_at_micros - figures.emergency_limit_micros
    usable = figures.usable_micros
    level = sum(usable < warning for warning in policy.warnings_micros)
    is_spared = figures.is_disputed or (figures.notice_until is not None and now < figures.notice_until)
    reconnect_above = threshold + policy.reconnect_micros
    return CreditStanding(
        balance_micros=figures.balance_micros,
        usable_micros=usable,
        threshold_micros=threshold,
        reconnect_above_micros=reconnect_above,
        warning_level=level,
        warning_micros=policy.warnings_micros[level - 1] if level else 0,
        emergency="taken" if figures.emergency_limit_micros else "none",
        emergency_limit_micros=figures.emergency_limit_micros,
        is_spared=is_spared,
        needed_micros=max(reconnect_above + 1 - usable, 0),
    )
