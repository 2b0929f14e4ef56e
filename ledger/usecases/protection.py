"""Protected supplies: one person protects, two people lift it, and a review that lapses is told, never acted on."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import get_args

from ledger.domain import supply as supply_stream_of
from ledger.domain.event import Event, Fact
from ledger.domain.protection import Category, ProtectionLifted, ProtectionReviewLapsed, SupplyProtected
from ledger.domain.supply import Supply
from ledger.store.application import Ledger
from ledger.usecases.attempt import appended
from ledger.usecases.codes import checked_code
from ledger.usecases.money.limits import check_two_people
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.identity import supply_stream


def checked_category(text: str) -> Category:
    """Return a category; raises InvalidValue naming those there are."""
    known: tuple[Category, ...] = get_args(Category)
    for category in known:
        if category == text:
            return category
    raise InvalidValue(f"category {text!r} is not known; use one of {', '.join(known)}")


def protect_supply(
    ledger: Ledger, *, supply: str, category: Category, evidence: str, review_on: date, operator: str, now: datetime
) -> int:
    """Protect a supply point from being cut for credit, or renew that; return the position."""
    checked_code(operator, what="operator")
    checked_code(evidence, what="evidence")
    if review_on <= now.date():
        raise InvalidValue(f"review date {review_on} is not after today; give when somebody shall look at it again")

    def fact(_state: Supply) -> Fact:
        return SupplyProtected(
            supply=supply,
            category=category,
            evidence=evidence,
            review_on=review_on,
            operator=operator,
            recorded_at=now,
        )

    return _appended(ledger, supply, fact)


def lift_protection(
    ledger: Ledger, *, supply: str, operator: str, approved_by: str, reason: str, now: datetime
) -> int:
    """Lift a protection, by two people; raises Refused where one person would, and where there is none to lift."""
    for code, what in ((operator, "operator"), (approved_by, "approver"), (reason, "reason")):
        checked_code(code, what=what)
    check_two_people(operator=operator, approved_by=approved_by)

    def fact(state: Supply) -> Fact:
        if state.protection is None:
            raise Refused(f"supply point {supply!r} is not protected; there is nothing to lift")
        return ProtectionLifted(
            supply=supply, operator=operator, approved_by=approved_by, reason=reason, recorded_at=now
        )

    return _appended(ledger, supply, fact)


def note_lapsed_review(ledger: Ledger, *, supply: str, today: date, now: datetime) -> int:
    """Say once that a protection's review is due; return the position, 0 where there is nothing to say."""

    def fact(state: Supply) -> Fact | None:
        protection = state.protection
        if protection is None or state.is_review_lapsed or today < protection.review_on:
            return None
        return ProtectionReviewLapsed(supply=supply, review_on=protection.review_on, recorded_at=now)

    return _appended(ledger, supply, fact)


def _appended(ledger: Ledger, supply: str, fact_of: Callable[[Supply], Fact | None]) -> int:
    stream = supply_stream(checked_code(supply, what="supply"))

    def decide() -> Sequence[Event]:
        found, version = ledger.folded(stream, supply_stream_of.evolve, None)
        state: Supply | None = found
        if state is None:
            raise NotFound(f"there is no supply point {supply!r}; register it first, or check the code")
        fact = fact_of(state)
        return [] if fact is None else [Event(stream, version + 1, fact)]

    return appended(ledger, decide)
