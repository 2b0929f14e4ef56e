"""What a bank's file tells of a transfer that came in, booked once however many files have it.

The money is in our bank account already, so nothing refuses it: what no account can take is kept as a receipt.
"""

from dataclasses import dataclass
from datetime import datetime

from ledger.store.application import Ledger
from ledger.usecases.accounts import account_of, top_up
from ledger.usecases.attempt import Booked
from ledger.usecases.money.attempt import By
from ledger.usecases.money.receipts import keep_receipt, receipt_of
from ledger.values.errors import NotFound
from ledger.values.identity import receipt_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Money that came in: `account` is the code that its sender named, empty where that is not clear."""

    channel: str
    reference_hash: str
    amount_micros: int
    currency: str
    account: str
    operator: str
    now: datetime

    @property
    def receipt(self) -> str:
        """The code under which it is kept where nobody knows for whom it is."""
        return f"{self.channel}-{self.reference_hash[:20]}"


def known_as(ledger: Ledger, transfer: Transfer) -> int | None:
    """Return where the transfer stands in the ledger already, credited or kept; None where it does not."""
    if receipt_of(ledger, transfer.receipt)[0] is not None:
        return ledger.position_of(receipt_stream(transfer.receipt), 1)
    return ledger.credited_with(transfer.reference_hash)


def why_not(ledger: Ledger, transfer: Transfer) -> str:
    """Say why the account cannot take it; nothing where it can."""
    if not transfer.account:
        return "it names no account, or more than one"
    try:
        account = account_of(ledger, transfer.account)
    except NotFound:
        return f"there is no account {transfer.account!r}"
    if account.is_closed:
        return f"account {transfer.account!r} is closed"
    if account.currency != transfer.currency:
        return f"account {transfer.account!r} is in {account.currency}"
    return ""


def book_transfer(ledger: Ledger, transfer: Transfer) -> Booked:
    """Credit the account, or keep the money as a receipt where none can take it; once per `reference_hash`.

    Whoever calls lets one call in at a time: which of the two it becomes is decided before it is booked.
    Raises Conflict where the transfer was booked with other content, BalancesBehind where it is to be tried again.
    """
    known = known_as(ledger, transfer)
    if known is not None:
        return Booked(known, is_repeat=True)
    if why_not(ledger, transfer):
        return keep_receipt(
            ledger,
            receipt=transfer.receipt,
            amount_micros=transfer.amount_micros,
            channel=transfer.channel,
            by=By(operator=transfer.operator, reason="no-account", key=_key(transfer), now=transfer.now),
            reference_hash=transfer.reference_hash,
        )
    return top_up(
        ledger,
        account=transfer.account,
        amount_micros=transfer.amount_micros,
        channel=transfer.channel,
        key=_key(transfer),
        now=transfer.now,
        reference_hash=transfer.reference_hash,
        is_paid=True,
    )


def _key(transfer: Transfer) -> str:
    return f"bank-file/{transfer.channel}/{transfer.reference_hash}"
