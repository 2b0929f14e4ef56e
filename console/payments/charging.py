"""Asks providers for charges, and takes in that they failed. A success is booked like any other news (`booking`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from psycopg import Connection

from console.payments import charges, deliveries, methods
from console.payments.charges import ASKED_AGAIN_FOR, Charge, Spent
from console.payments.port import ChargeOrder, ChargeOutcome, Charges, OutcomeUnknown, PaymentEvent
from ledger.domain.autopay import Autopay, ChargeFailed
from ledger.store.application import Ledger
from ledger.store.standing import BalancesBehind
from ledger.usecases.accounts import account_of
from ledger.usecases.autopay import autopay_of, record_failure
from ledger.usecases.credit.policies import terms_of
from ledger.values.errors import Conflict
from ledger.values.outside import reference_hash

log = structlog.get_logger(__name__)

# After each failed attempt; then it is given up.
RETRY_AFTER = (timedelta(hours=1), timedelta(hours=6), timedelta(days=1))
_FIRST_PAUSE = timedelta(seconds=15)
_LONGEST_PAUSE = timedelta(hours=1)
_BEHIND_PAUSE = timedelta(seconds=5)
_UNKNOWN_PROVIDER_PAUSE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charging:
    """Who can be asked, by name, and what their references are hashed with."""

    ledger: Ledger
    providers: Mapping[str, Charges] = field(default_factory=dict, repr=False)
    reference_key: str = field(default="", repr=False)

    def ask_next(self, connection: Connection[Any], *, now: datetime) -> str:
        """Ask for the charge that is due next; return what came of it in a word, nothing where none is due."""
        charge = charges.next_to_ask(connection, now=now)
        if charge is None:
            return ""
        if charge.first_asked_at is not None and now - charge.first_asked_at > ASKED_AGAIN_FOR:
            return _unknown(connection, charge, "no answer within a day of asking", now=now)
        today = local_day(self.ledger, charge.account, now=now)
        try:
            why_not = self._why_not(connection, charge, today)
        except BalancesBehind as error:
            return _put_off(connection, charge, str(error), now=now, pause=_BEHIND_PAUSE)
        if why_not and charge.tries:
            # What was asked for already may have been charged: a person finds out.
            return _unknown(connection, charge, why_not, now=now)
        if why_not:
            charges.change(connection, charge.charge, "dropped", now=now, detail=why_not)
            return "dropped"
        return self._ask(connection, charge, today, now=now)

    def _ask(self, connection: Connection[Any], charge: Charge, today: date, *, now: datetime) -> str:
        provider = self.providers.get(charge.provider)
        if provider is None:
            detail = f"provider {charge.provider} is not set up here; see docs/payments.md"
            return _put_off(connection, charge, detail, now=now, pause=_UNKNOWN_PROVIDER_PAUSE)
        token = methods.token_of(connection, account=charge.account, method=charge.method)
        if token is None and charge.tries:
            return _unknown(connection, charge, "the method was erased", now=now)
        if token is None:
            return take_failure(connection, self.ledger, charge, why="method-erased", may_retry=False, now=now)
        charges.begin_asking(connection, charge, today=today, now=now)
        try:
            outcome = provider.charge(
                ChargeOrder(
                    key=charge.key,
                    charge=charge.charge,
                    account=charge.account,
                    token=token,
                    amount_micros=charge.amount_micros,
                    currency=charge.currency,
                )
            )
        except OutcomeUnknown as error:
            log.warning("a charge is without an answer", charge=charge.charge, error=str(error))
            pause = min(_FIRST_PAUSE * 2 ** min(charge.tries, 10), _LONGEST_PAUSE)
            return _put_off(connection, charge, "no answer", now=now, pause=pause)
        return self._take(connection, charge, outcome, now=now)

    def _take(self, connection: Connection[Any], charge: Charge, outcome: ChargeOutcome, *, now: datetime) -> str:
        if outcome.state == "failed":
            return take_failure(
                connection, self.ledger, charge, why=outcome.why, may_retry=outcome.may_retry, now=now
            )
        hashed = reference_hash(f"{charge.provider}:{outcome.payment}", key_hex=self.reference_key)
        try:
            with connection.transaction():
                charges.pending(connection, charge.charge, reference_hash=hashed, now=now)
                if outcome.state == "succeeded":
                    news = _news(charge, outcome, now=now)
                    deliveries.keep(connection, news, provider=charge.provider, reference_key=self.reference_key)
        except Conflict as error:
            # Only a provider that names its own news as we name its answers gets here: no reason to die of it.
            return _unknown(connection, charge, str(error), now=now)
        # Told before its answer was taken in: whoever died between the two asked again, and was answered the same.
        why = deliveries.why_failed(connection, provider=charge.provider, reference_hash=hashed)
        if outcome.state == "pending" and why is not None:
            return take_failure(connection, self.ledger, charge, why=why, may_retry=True, now=now)
        return outcome.state

    def _why_not(self, connection: Connection[Any], charge: Charge, today: date) -> str:
        """Say why it is not to be asked for any more; nothing where it is. Raises BalancesBehind."""
        if account_of(self.ledger, charge.account).is_closed:
            return "the account is closed"
        autopay = autopay_of(self.ledger, charge.account)
        why_not = _not_agreed_any_more(autopay, charge)
        if why_not or charge.tries:
            return why_not
        if self._is_above(autopay, charge):
            return "the balance is above the threshold again"
        spent = charges.spent(connection, {charge.account: today}, but=charge.charge)
        return spent.get(charge.account, Spent()).capped(autopay, charge.amount_micros)

    def _is_above(self, autopay: Autopay, charge: Charge) -> bool:
        if charge.rhythm != "threshold" or autopay.threshold is None:
            return False
        balance_micros = self.ledger.standing([charge.account]).balance_micros(charge.account)
        return balance_micros >= autopay.threshold.below_micros


def _not_agreed_any_more(autopay: Autopay, charge: Charge) -> str:
    bound = autopay.methods.get(charge.method)
    if bound is None or bound.reference_hash != charge.method_hash:
        return "the method is not bound any more"
    rule = autopay.schedule if charge.rhythm == "schedule" else autopay.threshold
    if rule is None or rule.method != charge.method:
        return f"the {charge.rhythm} was ended or changed"
    if not charge.tries and rule.amount_micros != charge.amount_micros:
        return f"the {charge.rhythm} has another amount now"
    return ""


def take_failure(
    connection: Connection[Any], ledger: Ledger, charge: Charge, *, why: str, may_retry: bool, now: datetime
) -> str:
    """Record that an attempt failed, which tells the consumer, and let it be tried again later or give it up.

    Who dies between the two takes it in once more: the ledger has each attempt's failure once.
    """
    is_last = not may_retry or charge.attempt > len(RETRY_AFTER)
    again_at = None if is_last else now + RETRY_AFTER[charge.attempt - 1]
    record_failure(
        ledger,
        ChargeFailed(
            account=charge.account,
            charge=charge.charge,
            method=charge.method,
            rhythm=charge.rhythm,
            amount_micros=charge.amount_micros,
            attempt=charge.attempt,
            why=why or "unknown",
            again_at=again_at,
            recorded_at=now,
        ),
    )
    if again_at is None:
        charges.change(connection, charge.charge, "given-up", now=now, detail=why)
        return "given-up"
    charges.next_attempt(connection, charge.charge, at=again_at, detail=why, now=now)
    return "failed"


def local_day(ledger: Ledger, account: str, *, now: datetime) -> date:
    """Return an account's local date: its credit policy says whose days count."""
    return now.astimezone(zone_of(ledger, account, now=now)).date()


def zone_of(ledger: Ledger, account: str, *, now: datetime) -> ZoneInfo:
    """Return the zone whose days count for an account."""
    return ZoneInfo(terms_of(ledger, account_of(ledger, account), now=now).policy.zone)


def _news(charge: Charge, outcome: ChargeOutcome, *, now: datetime) -> PaymentEvent:
    return PaymentEvent(
        event=f"charge/{charge.key}",
        news="succeeded",
        payment=outcome.payment,
        amount_micros=charge.amount_micros,
        currency=charge.currency,
        happened_at=now,
        account=charge.account,
        charge=charge.charge,
        fee_micros=outcome.fee_micros,
    )


def _put_off(connection: Connection[Any], charge: Charge, why: str, *, now: datetime, pause: timedelta) -> str:
    charges.change(connection, charge.charge, "waiting", now=now, detail=why, again_at=now + pause)
    return "put-off"


def _unknown(connection: Connection[Any], charge: Charge, why: str, *, now: datetime) -> str:
    log.warning("a person has to find out what became of a charge", charge=charge.charge, why=why)
    charges.change(connection, charge.charge, "unknown", now=now, detail=why)
    return "unknown"
