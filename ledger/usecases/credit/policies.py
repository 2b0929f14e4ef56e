"""Credit policies: set one, and find the one that holds for an account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger.domain import site as site_stream_of
from ledger.domain import supply as supply_stream_of
from ledger.domain.account import Account
from ledger.domain.credit import policy as policy_of_site
from ledger.domain.credit.policy import CreditPolicy, CreditPolicySet, Policies, policy_at
from ledger.domain.event import Event
from ledger.domain.supply import Supply
from ledger.store.application import Ledger
from ledger.usecases.attempt import appended
from ledger.usecases.codes import checked_code
from ledger.usecases.conditions import check_account, check_site
from ledger.values.identity import site_stream, supply_stream
from ledger.values.instants import in_utc


@dataclass(frozen=True, slots=True)
class Terms:
    """The policy that holds for an account; `is_set` is false where its site never set any."""

    policy: CreditPolicy
    is_set: bool


def set_credit_policy(
    ledger: Ledger,
    *,
    site: str,
    policy: CreditPolicy | None,
    effective_from: datetime,
    operator: str,
    now: datetime,
    account_class: str = "",
    account: str = "",
) -> int:
    """Set a policy from an instant on, for a site, an account class or one account there; None withdraws it.

    Returns the position, 0 where it stands like this already. Raises NotFound for a site without settings and for an
    unknown account.
    """
    for code, what in ((site, "site"), (operator, "operator"), (account_class or "any", "account class")):
        checked_code(code, what=what)
    check_site(ledger, site)
    if account:
        check_account(ledger, account)
    fact = CreditPolicySet(
        site=site,
        effective_from=in_utc(effective_from),
        policy=policy,
        operator=operator,
        account_class=account_class,
        account=account,
        recorded_at=now,
    )

    def decide() -> Sequence[Event]:
        policies, _ = policies_of(ledger, site)
        version = ledger.folded(site_stream(site), lambda count, _: count + 1, 0)[1]
        scope = (account_class, account)
        standing = [
            row
            for row in policies
            if (row.account_class, row.account) == scope and row.effective_from <= fact.effective_from
        ]
        newest = max(reversed(standing), key=lambda row: row.effective_from, default=None)
        if (newest.policy if newest is not None else None) == policy:
            return []
        return [Event(site_stream(site), version + 1, fact)]

    return appended(ledger, decide)


def terms_of(ledger: Ledger, account: Account, *, now: datetime) -> Terms:
    """Return the policy of an account at an instant; its class is that of the first supply point it occupies."""
    policies, settings = policies_of(ledger, account.site)
    account_class = class_of(ledger, account.code, now=now) if any(row.account_class for row in policies) else ""
    policy = policy_at(policies, settings, now, account=account.code, account_class=account_class)
    return Terms(policy, is_set=bool(policies))


def policies_of(ledger: Ledger, site: str) -> tuple[Policies, site_stream_of.History]:
    """Return every policy that a site ever set, and its settings, as recorded."""
    policies, _ = ledger.folded(site_stream(site), policy_of_site.evolve, policy_of_site.NONE_SET)
    settings, _ = ledger.folded(site_stream(site), site_stream_of.evolve, site_stream_of.UNKNOWN)
    return policies, settings


def class_of(ledger: Ledger, account: str, *, now: datetime) -> str:
    """Return the class of an account: that of the first supply point, by code, that it occupies; empty for none."""
    for supply in supplies_of(ledger, account, now=now):
        terms = supply.terms_at(now)
        if terms is not None:
            return terms.account_class
    return ""


def supplies_of(ledger: Ledger, account: str, *, now: datetime) -> list[Supply]:
    """Return the supply points that an account occupies at an instant, by code."""
    found: list[Supply] = []
    for code in ledger.occupied_by(account):
        supply: Supply | None = ledger.folded(supply_stream(code), supply_stream_of.evolve, None)[0]
        occupancy = None if supply is None else supply.occupancy_at(now)
        if supply is not None and occupancy is not None and occupancy.account == account:
            found.append(supply)
    return found
