"""Top-ups taken away again, whole and once only: reversed, charged back, or moved to the account that was meant."""

from datetime import datetime, timedelta
from typing import Any

from ledger.domain import chart
from ledger.domain.account import Account, AccountCredited
from ledger.domain.account_facts import (
    TopUpChargedBack,
    TopUpReversed,
    TopUpTransferred,
    TransferReceived,
)
from ledger.domain.receipt import ReceiptKept, ReceiptReopened
from ledger.store.application import Ledger
from ledger.usecases.codes import checked_code
from ledger.usecases.money.attempt import Attempt, MoneyCommand, checked_amount, top_up_at
from ledger.usecases.money.selling import undo_sale
from ledger.values.errors import NotFound, Refused
from ledger.values.identity import account_stream, receipt_stream

# Long enough for a weekend: whoever loses power over somebody else's mistake is told first.
NOTICE = timedelta(days=3)
MAX_FEE_MICROS = 1_000 * 1_000_000


class ReverseTopUp(MoneyCommand, frozen=True, kw_only=True, tag="reverse"):
    """Reverse the top-up at a position."""

    top_up_position: int

    def accounts(self, ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs."""
        return (_payer(ledger, self.top_up_position),)

    def decide(self, attempt: Attempt) -> None:
        """Book the reversal; raises Refused for a second one, saying what was first."""
        top_up = top_up_at(attempt, self.top_up_position)
        words = _undoing(attempt, top_up, self.top_up_position)
        if top_up.receipt_position:
            _reopen(attempt, top_up)
        if top_up.agent:
            undo_sale(attempt, top_up, self.top_up_position)
        attempt.book_on(top_up.account, TopUpReversed(**words))


class ChargeBack(MoneyCommand, frozen=True, kw_only=True, tag="chargeback"):
    """Book that the payer's bank took the top-up at a position back, for a fee in micro-units."""

    top_up_position: int
    fee_micros: int = 0

    def accounts(self, ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs."""
        return (_payer(ledger, self.top_up_position),)

    def decide(self, attempt: Attempt) -> None:
        """Book the chargeback; raises Refused where the top-up is gone already."""
        if self.fee_micros:
            checked_amount(self.fee_micros, what="fee", most_micros=MAX_FEE_MICROS)
        top_up = top_up_at(attempt, self.top_up_position)
        if top_up.agent:
            raise Refused(
                f"the top-up at position {self.top_up_position} was paid at agent {top_up.agent!r}, no bank can take"
                " it back; reverse it"
            )
        words = _undoing(attempt, top_up, self.top_up_position)
        if top_up.receipt_position:
            # The bank takes it from where it first was: nothing comes back to be identified once more.
            words["source"] = _receipt(attempt, top_up).money
        attempt.book_on(top_up.account, TopUpChargedBack(**words, fee_micros=self.fee_micros))


class TransferTopUp(MoneyCommand, frozen=True, kw_only=True, tag="transfer"):
    """Move the top-up at a position to the account it was meant for, in one transaction."""

    top_up_position: int
    to_account: str

    def accounts(self, ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs."""
        return (_payer(ledger, self.top_up_position), checked_code(self.to_account, what="account"))

    def decide(self, attempt: Attempt) -> None:
        """Book both sides; raises Refused between an account and itself, and between currencies."""
        top_up = top_up_at(attempt, self.top_up_position)
        giver, taker = attempt.account(top_up.account), attempt.open_account(self.to_account)
        if giver.code == taker.code:
            raise Refused(f"the top-up at position {self.top_up_position} is {giver.code!r}'s already")
        if giver.currency != taker.currency:
            raise Refused(
                f"account {giver.code!r} is in {giver.currency}, {taker.code!r} in {taker.currency};"
                " reverse the top-up and pay it in anew"
            )
        words = _undoing(attempt, top_up, self.top_up_position)
        words["taxes"] += attempt.taxes(taker.code, change_micros=top_up.amount_micros)
        attempt.say_of(
            taker.code,
            TransferReceived(
                account=taker.code,
                from_account=giver.code,
                top_up_position=self.top_up_position,
                amount_micros=top_up.amount_micros,
                recorded_at=attempt.by.now,
            ),
        )
        attempt.book_on(giver.code, TopUpTransferred(**words, to_account=taker.code))


def _payer(ledger: Ledger, position: int) -> str:
    logged = ledger.event_at(position)
    if logged is None or not isinstance(logged.fact, AccountCredited):
        raise NotFound(f"there is no top-up at position {position}; `wattledger top-up` told its position")
    return logged.fact.account


def _undoing(attempt: Attempt, top_up: AccountCredited, position: int) -> dict[str, Any]:
    """Return what every undoing says: how much was still there, what becomes debt, until when nobody is cut."""
    account = attempt.account(top_up.account)
    _check_once(attempt, account, position)
    balance_micros = attempt.standing.balance_micros(account.code)
    unspent_micros = min(top_up.amount_micros, max(balance_micros, 0))
    return {
        "account": account.code,
        "top_up_position": position,
        "amount_micros": top_up.amount_micros,
        "unspent_micros": unspent_micros,
        "debt_micros": top_up.amount_micros - unspent_micros,
        "source": top_up.source or chart.cash(top_up.channel),
        "notice_until": _notice(balance_micros - unspent_micros, attempt.by.now),
        "taxes": attempt.taxes(account.code, change_micros=-unspent_micros),
        **attempt.by.words,
    }


def _receipt(attempt: Attempt, top_up: AccountCredited) -> ReceiptKept:
    fact = attempt.logged(top_up.receipt_position).fact
    if not isinstance(fact, ReceiptKept):
        raise AssertionError(f"a top-up names a kept receipt, not {fact.topic} at {top_up.receipt_position}")
    return fact


def _reopen(attempt: Attempt, top_up: AccountCredited) -> None:
    """Say that the receipt waits again for somebody to know whose it is."""
    receipt = _receipt(attempt, top_up).receipt
    attempt.say(
        receipt_stream(receipt),
        ReceiptReopened(
            receipt=receipt,
            account=top_up.account,
            amount_micros=top_up.amount_micros,
            operator=attempt.by.operator,
            recorded_at=attempt.by.now,
        ),
    )


def _notice(left_micros: int, now: datetime) -> datetime | None:
    return now + NOTICE if left_micros <= 0 else None


def _check_once(attempt: Attempt, account: Account, position: int) -> None:
    version = account.undone.get(position)
    if version is not None:
        undone_at = attempt.ledger.position_of(account_stream(account.code), version)
        what = attempt.logged(undone_at).fact.topic.partition(".")[2].partition("/")[0]
        raise Refused(
            f"the top-up at position {position} was {what.removeprefix('top-up-')} already, by the event at position"
            f" {undone_at}; a top-up is taken away once"
        )
