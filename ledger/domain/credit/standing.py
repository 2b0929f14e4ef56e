"""Where an account stands by its policy: what is left, how low that is, what would bring its supplies back on.

Amounts are micro-units. "Usable" is the balance with what is disputed given back, for as long as it is disputed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ledger.domain.credit.applying import needed_micros
from ledger.domain.credit.figures import AccountFigures, emergency_limit, is_spared, line_micros
from ledger.domain.credit.friendly import friendly_at, friendly_end_after, local_week
from ledger.domain.credit.policy import CreditPolicy

__all__ = ["AccountFigures", "CreditStanding", "Emergency", "credit_standing"]

Emergency = Literal["none", "offered", "taken"]


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
    def spare_micros(self) -> int:
        """What there is above the line, emergency credit in use counted."""
        return max(self.usable_micros - self.threshold_micros, 0)

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
    usable, limit = figures.usable_micros, emergency_limit(policy, figures)
    threshold = line_micros(policy, figures)
    level = sum(usable < warning for warning in policy.warnings_micros)
    friendly = friendly_at(policy.friendly, policy.zone, now)
    return CreditStanding(
        balance_micros=figures.balance_micros,
        usable_micros=usable,
        threshold_micros=threshold,
        reconnect_above_micros=threshold + policy.reconnect_micros,
        warning_level=level,
        warning_micros=policy.warnings_micros[level - 1] if level else 0,
        emergency=_emergency(policy, figures),
        emergency_limit_micros=limit or (policy.emergency.limit_micros if policy.emergency else 0),
        emergency_used_micros=min(max(policy.cut_at_micros - usable, 0), limit),
        friendly_until=_latest(friendly.until, _charged_until(policy, figures, threshold, now)),
        friendly_from=friendly.next_from,
        is_spared=is_spared(figures, now),
        needed_micros=needed_micros(policy, figures, week=local_week(policy.zone, now)),
    )


def _emergency(policy: CreditPolicy, figures: AccountFigures) -> Emergency:
    """Emergency credit that was asked for stays taken until it is paid back, whatever the policy says by then."""
    if figures.emergency_limit_micros:
        return "taken"
    if policy.emergency is None or figures.usable_micros >= policy.emergency.offered_below_micros:
        return "none"
    return "taken" if policy.emergency.taken == "automatic" else "offered"


def _charged_until(policy: CreditPolicy, figures: AccountFigures, threshold: int, now: datetime) -> datetime | None:
    """Return until when a charge that time alone made spares: the end of the friendly time it falls in, or the next.

    It does where the account would not be out without it.
    """
    usable = figures.usable_micros
    if figures.time_charged_at is None or not usable <= threshold < usable + figures.time_charges_micros:
        return None
    until = friendly_end_after(policy.friendly, policy.zone, figures.time_charged_at)
    return until if until is not None and now < until else None


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((row for row in (one, other) if row is not None), default=None)
