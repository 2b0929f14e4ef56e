"""The credit policy of a site, of a class of accounts or of one account, effective-dated. Amounts in micro-units.

It is set on the site's stream; the one that holds for an account is the most particular one in force: the account's
own, or its class's, or the site's, or what the site's settings alone say.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Literal

import msgspec

from ledger.domain.event import Fact, fact_type
from ledger.domain.local_hours import LocalHours
from ledger.domain.site import SiteSettingsChanged, in_force
from ledger.wire import Instant

Taken = Literal["automatic", "on-request"]
ChargesWhileOff = Literal["collected", "accrued"]
# What a top-up goes to: the debt agreed (up to its caps), what accrued while off, the balance up to the line at which
# the supply is cut, the emergency credit that was used, the balance.
Part = Literal["debt", "accrued", "below-threshold", "emergency", "balance"]
DEFAULT_ORDER: tuple[Part, ...] = ("debt", "accrued", "below-threshold", "emergency", "balance")


class EmergencyCredit(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How far below the cut-off line an account may go, offered when it falls below a balance."""

    limit_micros: int
    offered_below_micros: int
    taken: Taken = "on-request"


# A holiday's own hours come on top of its weekday's.
FriendlyHours = LocalHours


class FriendlyTimes(msgspec.Struct, frozen=True, omit_defaults=True):
    """When nobody is cut: hours by day, and whole days; holidays are a country's (ISO 3166), and one's own."""

    hours: tuple[FriendlyHours, ...] = ()
    dates: tuple[date, ...] = ()
    country: str = ""
    subdivision: str = ""
    holidays: tuple[date, ...] = ()


class DebtTerms(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How debt is repaid: so much a local day, so many hundredths of a per cent of each top-up.

    Both together take no more than `week_cap_micros` in a local week (from Monday), None for no cap.
    """

    per_day_micros: int = 0
    top_up_basis_points: int = 0
    week_cap_micros: int | None = None


class CreditPolicy(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """On what terms an account is supplied.

    `warnings_micros` descend: level 1 warns below the first. A supply may be cut at `cut_at_micros` or below it, and
    comes back above that and `reconnect_micros` more. `zone` is whose days and hours count.
    """

    zone: str = "UTC"
    warnings_micros: tuple[int, ...] = ()
    cut_at_micros: int = 0
    reconnect_micros: int = 0
    emergency: EmergencyCredit | None = None
    friendly: FriendlyTimes = FriendlyTimes()
    debt: DebtTerms = DebtTerms()
    charges_while_off: ChargesWhileOff = "collected"
    top_up_least_micros: int = 0
    top_up_most_micros: int | None = None
    order: tuple[Part, ...] = DEFAULT_ORDER


@fact_type("site.credit-policy-set/1")
class CreditPolicySet(Fact, frozen=True, kw_only=True):
    """From `effective_from` this policy holds: for the site, or for one account class, or one account there.

    Without a policy it is withdrawn: what is less particular holds again.
    """

    site: str
    effective_from: Instant
    policy: CreditPolicy | None
    operator: str
    account_class: str = ""
    account: str = ""


Policies = tuple[CreditPolicySet, ...]
NONE_SET: Policies = ()


def evolve(policies: Policies, fact: Fact) -> Policies:
    """Apply a fact of a site's stream; its settings are another matter (`ledger.domain.site`)."""
    return (*policies, fact) if isinstance(fact, CreditPolicySet) else policies


def by_settings(settings: SiteSettingsChanged | None) -> CreditPolicy:
    """Return what holds where no policy was set: one warning, and cut where nothing is left."""
    return CreditPolicy(warnings_micros=() if settings is None else (settings.warning_balance_micros,))


def policy_at(
    policies: Iterable[CreditPolicySet],
    settings: Iterable[SiteSettingsChanged],
    instant: datetime,
    *,
    account: str = "",
    account_class: str = "",
) -> CreditPolicy:
    """Return the policy of an account at an instant; both histories as recorded, of one site."""
    begun = [row for row in policies if row.effective_from <= instant]
    scopes = dict.fromkeys((("", account), (account_class, ""), ("", "")))
    for scope in scopes:
        rows = [row for row in begun if (row.account_class, row.account) == scope]
        newest = max(reversed(rows), key=lambda row: row.effective_from, default=None)
        if newest is not None and newest.policy is not None:
            return newest.policy
    return by_settings(in_force(settings, instant))
