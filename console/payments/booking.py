"""Books what was told, row by row: commands with the payment's own keys first, then the row is marked.

Who dies between the two books the same again, which has no effect, and marks the row.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from psycopg import Connection

from console.payments import charges, deliveries
from console.payments.charges import Charge
from console.payments.charging import take_failure
from console.payments.deliveries import Delivery, State
from ledger.store.application import Ledger
from ledger.store.standing import BalancesBehind
from ledger.usecases.autopay import Saying, autopay_of, unbind_method
from ledger.usecases.money.payments import OPERATOR, NotYet, Told, book_told
from ledger.values.errors import LedgerError, NotFound

log = structlog.get_logger(__name__)

_FIRST_PAUSE = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(hours=1)
# Balances catch up by themselves, without anything being told.
_LONGEST_PAUSE_BEHIND = timedelta(seconds=30)
# Providers deliver again for about as long; what is not told by then, nobody tells.
_TOLD_WITHIN = timedelta(days=4)
# After a long rest, what it follows may be a few rows further on.
_TRIES_BEFORE_HELD = 3


@dataclass(frozen=True, slots=True)
class Done:
    """A delivery that was taken up, and what became of it."""

    delivery: Delivery
    state: State


def book_next(connection: Connection[Any], ledger: Ledger, *, now: datetime) -> Done | None:
    """Book what is due next; None where nothing is."""
    delivery = deliveries.next_due(connection, now=now)
    return None if delivery is None else Done(delivery, _booked(connection, ledger, delivery, now=now))


def _booked(connection: Connection[Any], ledger: Ledger, delivery: Delivery, *, now: datetime) -> State:
    if deliveries.is_charged_back_once_more(connection, delivery):
        # The ledger has one chargeback of a payment, and would take this one for it.
        why = "charged back once more, after the dispute was won; charge the won dispute's top-up back, settle this"
        return _held(connection, delivery, why, now=now)
    try:
        position = book_told(ledger, _told(delivery, now)).position
    except BalancesBehind as error:
        return _put_off(connection, delivery, str(error), now=now, at_most=_LONGEST_PAUSE_BEHIND)
    except NotYet as error:
        if now - delivery.received_at > _TOLD_WITHIN and delivery.attempts >= _TRIES_BEFORE_HELD:
            return _held(connection, delivery, f"{error}, for {_TOLD_WITHIN.days} days; ask the provider", now=now)
        return _put_off(connection, delivery, str(error), now=now, at_most=_LONGEST_PAUSE)
    except LedgerError as error:
        return _held(connection, delivery, str(error), now=now)
    charge = charges.of_payment(connection, provider=delivery.provider, reference_hash=delivery.reference_hash)
    if charge is not None:
        _follow(connection, ledger, charge, delivery, now=now)
    return _marked(connection, delivery, position=position, now=now)


def _told(delivery: Delivery, now: datetime) -> Told:
    return Told(
        provider=delivery.provider,
        news=delivery.news,
        reference_hash=delivery.reference_hash,
        amount_micros=delivery.amount_micros,
        currency=delivery.currency,
        account=delivery.account,
        fee_micros=delivery.fee_micros,
        now=now,
    )


def _put_off(
    connection: Connection[Any], delivery: Delivery, why: str, *, now: datetime, at_most: timedelta
) -> State:
    again_at = now + min(_FIRST_PAUSE * 2 ** min(delivery.attempts, 12), at_most)
    deliveries.mark(connection, delivery, "waiting", now=again_at, detail=why)
    return "waiting"


def _held(connection: Connection[Any], delivery: Delivery, why: str, *, now: datetime) -> State:
    log.warning("a person has to look at a delivery", provider=delivery.provider, delivery=delivery.id, why=why)
    deliveries.mark(connection, delivery, "held", now=now, detail=why)
    return "held"


def _marked(connection: Connection[Any], delivery: Delivery, *, position: int, now: datetime) -> State:
    state: State = "booked" if position else "noted"
    with connection.transaction():
        deliveries.mark(connection, delivery, state, now=now, position=position)
        if delivery.news == "succeeded":
            charges.booked(
                connection,
                charge=delivery.charge,
                provider=delivery.provider,
                reference_hash=delivery.reference_hash,
                position=position,
                now=now,
            )
        if position:
            deliveries.wake(connection, delivery)
    return state


def _follow(
    connection: Connection[Any], ledger: Ledger, charge: Charge, delivery: Delivery, *, now: datetime
) -> None:
    """Do what news of a charge's newest attempt lead to; an earlier attempt's failure is known already.

    Whose money was taken back is not charged again by itself: it would go round and round.
    """
    if delivery.news == "failed" and charge.state in ("pending", "unknown"):
        take_failure(connection, ledger, charge, why=delivery.why, may_retry=True, now=now)
    if delivery.news in ("refunded", "charged-back"):
        bound = autopay_of(ledger, charge.account).methods.get(charge.method)
        if bound is not None and bound.reference_hash == charge.method_hash:
            by = Saying(account=charge.account, operator=OPERATOR, now=now)
            # Its owner may unbind it at this very moment.
            with suppress(NotFound):
                unbind_method(ledger, by=by, method=charge.method, reason=delivery.news)
