"""How an account is topped up by itself: bind a payment method, say when and how much, cap it, end it.

Every command that finds things as it wants them changes nothing and returns 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast, get_args

from ledger.domain import autopay as autopay_stream_of
from ledger.domain.autopay import (
    NONE_SET,
    Autopay,
    CapsSet,
    ChargeFailed,
    Every,
    MethodBound,
    MethodUnbound,
    Rhythm,
    RhythmEnded,
    ScheduleSet,
    ThresholdSet,
    same_terms,
)
from ledger.domain.event import Event, Fact
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.usecases.accounts import MAX_TOP_UP_MICROS, account_of
from ledger.usecases.attempt import Booked, appended, appended_once
from ledger.usecases.codes import checked_code, checked_reference_hash
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.identity import autopay_stream
from ledger.values.money import minor_unit_micros, text_from_micros

Decide = Callable[[Autopay], Fact | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """Whose rhythms are changed, by whom, when."""

    account: str
    operator: str
    now: datetime


def checked_every(every: str) -> Every:
    """Return how often a schedule is due; raises InvalidValue where it is none of them."""
    for known in get_args(Every):
        if every == known:
            return cast(Every, known)
    raise InvalidValue(f"every {every!r} is no rhythm; use day, week or month")


def checked_rhythm(rhythm: str) -> Rhythm:
    """Return which rhythm it is; raises InvalidValue where it is none."""
    for known in get_args(Rhythm):
        if rhythm == known:
            return cast(Rhythm, known)
    raise InvalidValue(f"{rhythm!r} is no rhythm; use schedule or threshold")


def autopay_of(ledger: Ledger, account: str) -> Autopay:
    """Return what holds for an account."""
    return ledger.folded(autopay_stream(account), autopay_stream_of.evolve, NONE_SET)[0]


def bind_method(ledger: Ledger, *, by: Saying, method: str, provider: str, reference_hash: str) -> int:
    """Bind a payment method of a provider under a code of ours; return the position.

    Raises Refused where the code names another method already.
    """
    for code, what in ((method, "method"), (provider, "provider")):
        checked_code(code, what=what)
    if not checked_reference_hash(reference_hash):
        raise InvalidValue("a payment method without the provider's name for it cannot be charged; give its token")
    fact = MethodBound(
        account=by.account,
        method=method,
        provider=provider,
        reference_hash=reference_hash,
        operator=by.operator,
        recorded_at=by.now,
    )

    def decide(autopay: Autopay) -> Fact | None:
        bound = autopay.methods.get(method)
        if bound is not None and not same_terms(bound, fact):
            raise Refused(
                f"{method!r} is another payment method of {by.account!r}; unbind it, or choose another code"
            )
        return None if bound is not None else fact

    return _said(ledger, by, decide)


def unbind_method(ledger: Ledger, *, by: Saying, method: str, reason: str) -> int:
    """Unbind a method, which ends the rhythms that charged it; raises NotFound where it is not bound."""
    checked_code(reason, what="reason")

    def decide(autopay: Autopay) -> Fact:
        if method not in autopay.methods:
            raise NotFound(_unbound(autopay, by.account, method) + "check the code")
        return MethodUnbound(
            account=by.account, method=method, reason=reason, operator=by.operator, recorded_at=by.now
        )

    return _said(ledger, by, decide, is_closing=True)


def set_schedule(
    ledger: Ledger, *, by: Saying, method: str, amount_micros: int, every: Every, from_date: date
) -> int:
    """Top up so much on a local date and every day, week or month after it; replaces the schedule that there is."""
    checked_every(every)
    fact = ScheduleSet(
        account=by.account,
        method=method,
        amount_micros=amount_micros,
        every=every,
        from_date=from_date,
        operator=by.operator,
        recorded_at=by.now,
    )

    def decide(autopay: Autopay) -> Fact | None:
        _check_amount(ledger, by.account, autopay, amount_micros)
        _check_bound(autopay, by.account, method)
        return None if same_terms(autopay.schedule, fact) else fact

    return _said(ledger, by, decide)


def set_threshold(ledger: Ledger, *, by: Saying, method: str, amount_micros: int, below_micros: int) -> int:
    """Top up so much whenever the balance is below an amount; replaces the threshold that there is."""
    fact = ThresholdSet(
        account=by.account,
        method=method,
        amount_micros=amount_micros,
        below_micros=below_micros,
        operator=by.operator,
        recorded_at=by.now,
    )
    if abs(below_micros) > MAX_TOP_UP_MICROS:
        raise InvalidValue(f"a threshold of {text_from_micros(below_micros)} is beyond any balance; check it")

    def decide(autopay: Autopay) -> Fact | None:
        _check_amount(ledger, by.account, autopay, amount_micros)
        _check_bound(autopay, by.account, method)
        return None if same_terms(autopay.threshold, fact) else fact

    return _said(ledger, by, decide)


def set_caps(ledger: Ledger, *, by: Saying, day_micros: int, month_micros: int) -> int:
    """Cap what is charged in a local day and in a local month."""
    shown = f"{text_from_micros(day_micros)} a day and {text_from_micros(month_micros)} a month"
    if not (0 < day_micros <= MAX_TOP_UP_MICROS and 0 < month_micros <= MAX_TOP_UP_MICROS):
        most = text_from_micros(MAX_TOP_UP_MICROS)
        raise InvalidValue(f"caps of {shown} are none; give amounts above zero, {most} at most")
    if day_micros > month_micros:
        raise Refused(f"caps of {shown} contradict each other; give a day's that is no more than the month's")
    fact = CapsSet(
        account=by.account,
        day_micros=day_micros,
        month_micros=month_micros,
        operator=by.operator,
        recorded_at=by.now,
    )

    def decide(autopay: Autopay) -> Fact | None:
        is_so = (autopay.day_cap_micros, autopay.month_cap_micros) == (day_micros, month_micros)
        return None if is_so else fact

    return _said(ledger, by, decide)


def end_rhythm(ledger: Ledger, *, by: Saying, rhythm: Rhythm, reason: str) -> int:
    """End the schedule or the threshold; 0 where there is none."""
    checked_code(reason, what="reason")
    checked_rhythm(rhythm)

    def decide(autopay: Autopay) -> Fact | None:
        if (autopay.schedule if rhythm == "schedule" else autopay.threshold) is None:
            return None
        return RhythmEnded(account=by.account, rhythm=rhythm, reason=reason, operator=by.operator, recorded_at=by.now)

    return _said(ledger, by, decide, is_closing=True)


def record_failure(ledger: Ledger, fact: ChargeFailed) -> Booked:
    """Record that an attempt at a charge failed, once per attempt, so that the consumer is told.

    What is recorded first stands: who tells the same failure again may have another time for it.
    """
    stream = autopay_stream(fact.account)

    def decide() -> Sequence[Event]:
        return [Event(stream, ledger.folded(stream, autopay_stream_of.evolve, NONE_SET)[1] + 1, fact)]

    key = f"charge-failed/{fact.account}/{fact.charge}/{fact.attempt}"
    return appended_once(ledger, decide, command=Command(key, {"account": fact.account}))


def _said(ledger: Ledger, by: Saying, decide: Decide, *, is_closing: bool = False) -> int:
    checked_code(by.account, what="account")
    checked_code(by.operator, what="operator")
    if account_of(ledger, by.account).is_closed and not is_closing:
        raise Refused(f"account {by.account!r} is closed; nothing tops it up by itself")
    stream = autopay_stream(by.account)

    def decided() -> Sequence[Event]:
        autopay, version = ledger.folded(stream, autopay_stream_of.evolve, NONE_SET)
        fact = decide(autopay)
        return [] if fact is None else [Event(stream, version + 1, fact)]

    return appended(ledger, decided)


def _check_bound(autopay: Autopay, account: str, method: str) -> None:
    if method not in autopay.methods:
        raise Refused(_unbound(autopay, account, method) + "bind it first: autopay bind")


def _unbound(autopay: Autopay, account: str, method: str) -> str:
    known = ", ".join(sorted(autopay.methods)) or "none"
    return f"{method!r} is no payment method of {account!r} (bound: {known}); "


def _check_amount(ledger: Ledger, account: str, autopay: Autopay, amount_micros: int) -> None:
    shown, currency = text_from_micros(amount_micros), account_of(ledger, account).currency
    if amount_micros <= 0:
        raise InvalidValue(f"{shown} {currency} cannot be charged; give an amount above zero")
    if amount_micros % minor_unit_micros(currency):
        raise Refused(f"{shown} {currency} cannot be charged; give an amount in whole coins")
    if amount_micros > min(autopay.day_cap_micros, autopay.month_cap_micros):
        raise Refused(
            f"{shown} is above the cap of {text_from_micros(autopay.day_cap_micros)} a day or"
            f" {text_from_micros(autopay.month_cap_micros)} a month; raise it first: autopay caps"
        )
