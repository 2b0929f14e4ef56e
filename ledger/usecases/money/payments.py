"""What an online provider tells of a payment, booked: however often it is told, each kind of news once.

The provider has the money until it pays out, so every payment stands on its channel's clearing account. Each
command's key is the payment's keyed hash: a webhook and the answer to a charge tell of the same.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ledger.domain.account import AccountCredited
from ledger.domain.account_facts import TopUpChargedBack
from ledger.domain.booking import booked
from ledger.domain.event import Event
from ledger.domain.receipt import ProviderFeeKept
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.usecases.accounts import account_of, top_up
from ledger.usecases.attempt import Booked, appended_once
from ledger.usecases.codes import checked_code, checked_reference_hash
from ledger.usecases.money.attempt import By, checked_amount
from ledger.usecases.money.carrying_out import carry_out
from ledger.usecases.money.receipts import MAX_MICROS, keep_receipt, receipt_of, return_receipt
from ledger.usecases.money.undoing import ChargeBack, ReverseTopUp
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.identity import account_stream, payment_stream
from ledger.values.money import text_from_micros

News = Literal["succeeded", "failed", "refunded", "refund-failed", "charged-back", "dispute-won"]

# Who stands as operator in the events that a provider's word leads to.
OPERATOR = "payments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a provider told of a payment; `provider` is the channel too, `fee_micros` what it keeps for this."""

    provider: str
    news: News
    reference_hash: str
    amount_micros: int
    currency: str
    account: str
    fee_micros: int = 0
    now: datetime

    @property
    def key(self) -> str:
        """The idempotency key of the payment, whatever is told of it."""
        return f"{self.provider}/{self.reference_hash}"

    @property
    def receipt(self) -> str:
        """The code under which it is kept where nobody knows for whom it is."""
        return f"{self.provider}-{self.reference_hash[:20]}"


class NotYet(Refused):
    """What this news follows has not been told so far; try again once it has."""


def book_told(ledger: Ledger, told: Told) -> Booked:
    """Book what was told; position 0 where it moves no money.

    Raises NotYet for news that came before what it follows, any other LedgerError where a person has to look.
    """
    checked_code(told.provider, what="provider")
    if not checked_reference_hash(told.reference_hash):
        raise InvalidValue("a payment without the provider's reference cannot be booked once; report it to them")
    match told.news:
        case "succeeded":
            return _received(ledger, told)
        case "refunded" | "charged-back":
            return _taken_back(ledger, told)
        case "dispute-won":
            return _given_again(ledger, told)
        case "failed":
            return Booked(0, is_repeat=False)
        case "refund-failed":
            raise Refused(
                f"a refund of {text_from_micros(told.amount_micros)} did not reach the payer, and the provider has it"
                " again; pay it out another way, or top the account up with it"
            )


def _received(ledger: Ledger, told: Told) -> Booked:
    """Credit the account, or keep the money where it has no account that can take it; then the provider's fee."""
    paid = _credited_or_kept(ledger, told)
    _keep_fee(ledger, told)
    return paid


def _credited_or_kept(ledger: Ledger, told: Told) -> Booked:
    if receipt_of(ledger, told.receipt)[0] is not None:
        # Kept when it came first: whoever identifies it credits the account.
        return _kept(ledger, told)
    if not _takes_it(ledger, told):
        return _kept(ledger, told)
    return _credited(ledger, told, key=f"payment/{told.key}", reference_hash=told.reference_hash)


def _takes_it(ledger: Ledger, told: Told) -> bool:
    """Tell whether the account is there, open and in the payment's currency, or has the money already."""
    if ledger.credited_with(told.reference_hash) is not None:
        return True
    try:
        account = account_of(ledger, told.account)
    except NotFound:
        return False
    return not account.is_closed and account.currency == told.currency


def _credited(ledger: Ledger, told: Told, *, key: str, reference_hash: str) -> Booked:
    return top_up(
        ledger,
        account=told.account,
        amount_micros=told.amount_micros,
        channel=told.provider,
        key=key,
        now=told.now,
        reference_hash=reference_hash,
        is_cleared=True,
    )


def _kept(ledger: Ledger, told: Told) -> Booked:
    return keep_receipt(
        ledger,
        receipt=told.receipt,
        amount_micros=told.amount_micros,
        channel=told.provider,
        by=_by(told, "no-account"),
        reference_hash=told.reference_hash,
        is_cleared=True,
        currency=told.currency,
    )


def _keep_fee(ledger: Ledger, told: Told) -> None:
    if not told.fee_micros:
        return
    checked_amount(told.fee_micros, what="fee", most_micros=MAX_MICROS)
    stream = payment_stream(provider=told.provider, reference_hash=told.reference_hash)
    fact = ProviderFeeKept(
        channel=told.provider,
        amount_micros=told.fee_micros,
        reference_hash=told.reference_hash,
        recorded_at=told.now,
    )

    def decide() -> Sequence[Event]:
        return [Event(stream, 1, booked(fact))]

    appended_once(ledger, decide, command=Command(f"payment-fee/{told.key}", {"fee_micros": str(told.fee_micros)}))


def _taken_back(ledger: Ledger, told: Told) -> Booked:
    """Take the top-up away again, or give the kept receipt back; whole only."""
    position = ledger.credited_with(told.reference_hash)
    if position is None:
        return _receipt_returned(ledger, told)
    top_up_of = _top_up(ledger, position)
    _check_whole(told, top_up_of.amount_micros)
    by = _by(told, told.news)
    if told.news == "charged-back":
        return carry_out(ledger, ChargeBack(top_up_position=position, fee_micros=told.fee_micros), by=by)
    reversal = carry_out(ledger, ReverseTopUp(top_up_position=position), by=by)
    if top_up_of.receipt_position:
        # What is reversed waits to be identified again, but this money is gone.
        return_receipt(ledger, receipt=told.receipt, by=by)
    return reversal


def _receipt_returned(ledger: Ledger, told: Told) -> Booked:
    receipt, _ = receipt_of(ledger, told.receipt)
    if receipt is None:
        raise NotYet(f"the payment was {told.news}, and nothing has told that it succeeded; it waits for that")
    _check_whole(told, receipt.kept.amount_micros)
    return return_receipt(ledger, receipt=told.receipt, by=_by(told, told.news))


def _given_again(ledger: Ledger, told: Told) -> Booked:
    """Credit what the payer's bank had taken back and gave again; the policy says what of it pays the debt."""
    position = ledger.credited_with(told.reference_hash)
    if position is None:
        raise NotYet("a dispute was won over a payment that nothing has told of; it waits for that")
    account = account_of(ledger, _top_up(ledger, position).account)
    version = account.undone.get(position)
    undone = None if version is None else ledger.event_at(ledger.position_of(account_stream(account.code), version))
    if undone is None or not isinstance(undone.fact, TopUpChargedBack):
        raise NotYet("a dispute was won over a payment that was not charged back so far; it waits for that")
    _check_whole(told, undone.fact.amount_micros)
    won = Told(
        provider=told.provider,
        news=told.news,
        reference_hash=_derived_hash(told.reference_hash),
        amount_micros=told.amount_micros,
        currency=account.currency,
        account=account.code,
        now=told.now,
    )
    return _credited(ledger, won, key=f"dispute-won/{told.key}", reference_hash=won.reference_hash)


def _top_up(ledger: Ledger, position: int) -> AccountCredited:
    logged = ledger.event_at(position)
    if logged is None or not isinstance(logged.fact, AccountCredited):
        raise AssertionError(f"the index of references names {position}, which is no top-up")
    return logged.fact


def _check_whole(told: Told, amount_micros: int) -> None:
    if told.amount_micros != amount_micros:
        raise Refused(
            f"{text_from_micros(told.amount_micros)} of a payment of {text_from_micros(amount_micros)} was"
            f" {told.news}; a part is not taken back by itself: reverse the top-up, book what stays, settle this"
        )


def _by(told: Told, reason: str) -> By:
    return By(operator=OPERATOR, reason=reason, key=f"{told.news}/{told.key}", now=told.now)


def _derived_hash(reference_hash: str) -> str:
    """Return a hash of its own for the money that came back: a payment's reference leads to one top-up."""
    return hashlib.sha256(f"{reference_hash}|dispute-won".encode()).hexdigest()
