"""Four eyes: what one person may decide alone, and how that is changed."""

from collections.abc import Sequence
from datetime import datetime

from ledger.domain import policy
from ledger.domain.event import Event
from ledger.domain.policy import FourEyesChanged
from ledger.store.application import Ledger
from ledger.usecases.attempt import appended
from ledger.usecases.codes import checked_code
from ledger.values.errors import InvalidValue, Refused
from ledger.values.identity import POLICY_STREAM
from ledger.values.instants import in_utc
from ledger.values.money import text_from_micros


class NeedsApproval(Refused):
    """One person alone may not do this: propose it, and let another approve."""


def four_eyes(ledger: Ledger, *, now: datetime, site: str = "") -> FourEyesChanged:
    """Return what needs two people at an instant."""
    return policy.in_force(_history(ledger)[0], now, site=site)


def check_two_people(*, operator: str, approved_by: str) -> None:
    """Raise Refused where somebody approves what they proposed themselves."""
    if approved_by and approved_by == operator:
        raise Refused(f"{operator!r} cannot approve what they proposed themselves; let another person do it")


def check_limit(ledger: Ledger, *, weighed_micros: int, site: str, approved_by: str, now: datetime) -> None:
    """Raise NeedsApproval for an amount above what one person may decide, where nobody approved it."""
    limit_micros = four_eyes(ledger, now=now, site=site).limit_micros
    if weighed_micros > limit_micros and not approved_by:
        raise NeedsApproval(
            f"{text_from_micros(weighed_micros)} is above {text_from_micros(limit_micros)}, the most that one person"
            " decides alone; another has to approve it"
        )


def change_four_eyes(
    ledger: Ledger,
    *,
    effective_from: datetime,
    operator: str,
    now: datetime,
    approved_by: str = "",
    site: str = "",
    limit_micros: int | None = None,
    tariffs: bool | None = None,
) -> FourEyesChanged:
    """Change what needs two people, from an instant on; what is not given stays as it stands then.

    After the first time it takes two people itself: raises Refused where nobody else approved it.
    """
    for code, what in ((operator, "operator"), *(((approved_by, "approver"),) if approved_by else ())):
        checked_code(code, what=what)
    if site:
        checked_code(site, what="site")
    if limit_micros is not None and limit_micros < 0:
        raise InvalidValue(f"limit {text_from_micros(limit_micros)} is below zero; 0 asks two people for everything")
    check_two_people(operator=operator, approved_by=approved_by)
    settled: list[FourEyesChanged] = []

    def decide() -> Sequence[Event]:
        history, version = _history(ledger)
        if history and not approved_by:
            raise NeedsApproval("what needs two people is changed by two people; give who approved it, too")
        standing = policy.in_force(history, in_utc(effective_from), site=site)
        fact = FourEyesChanged(
            site=site,
            effective_from=in_utc(effective_from),
            limit_micros=standing.limit_micros if limit_micros is None else limit_micros,
            tariffs=standing.tariffs if tariffs is None else tariffs,
            operator=operator,
            approved_by=approved_by,
            recorded_at=now,
        )
        settled[:] = [fact]
        return [Event(POLICY_STREAM, version + 1, fact)]

    appended(ledger, decide)
    return settled[0]


def _history(ledger: Ledger) -> tuple[policy.History, int]:
    return ledger.folded(POLICY_STREAM, policy.evolve, policy.UNKNOWN)
