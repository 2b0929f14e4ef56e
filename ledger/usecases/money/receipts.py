"""Money without an account: receipts kept until somebody knows whose they are, and what providers pay out.

keep_receipt       the money is on `liabilities:unidentified-receipts`
identify_receipt   it was an account's top-up, applied like any other
return_receipt     it went back to whoever had sent it
"""

from collections.abc import Callable, Sequence

from ledger.domain import chart
from ledger.domain import receipt as receipt_stream_of
from ledger.domain.account import AccountCredited
from ledger.domain.booking import booked
from ledger.domain.event import Event, Fact
from ledger.domain.receipt import ClearingSettled, Receipt, ReceiptIdentified, ReceiptKept, ReceiptReturned
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.store.standing import Standing
from ledger.usecases.attempt import Booked, appended_on_standing, appended_once, checked_key
from ledger.usecases.codes import checked_code, checked_currency, checked_reference_hash
from ledger.usecases.credit.crediting import application
from ledger.usecases.credit.policies import terms_of
from ledger.usecases.money.attempt import Attempt, By, checked_amount
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.identity import clearing_stream, receipt_stream
from ledger.values.money import text_from_micros

MAX_MICROS = 10_000_000_000 * 1_000_000


def keep_receipt(
    ledger: Ledger,
    *,
    receipt: str,
    amount_micros: int,
    channel: str,
    by: By,
    reference_hash: str = "",
    is_cleared: bool = False,
    currency: str = "",
) -> Booked:
    """Keep money that came in and nobody can place, under a code of ours; raises Refused for a code in use.

    `reference_hash` and `is_cleared` are as a top-up has them: the keyed hash of the channel's own reference, and
    whether its provider has the money still. Where `currency` is said, no account in another gets the money. The same
    key with the same content returns the first result.
    """
    by.check()
    checked_code(receipt, what="receipt")
    checked_code(channel, what="channel")
    checked_reference_hash(reference_hash)
    checked_amount(amount_micros, what="receipt", most_micros=MAX_MICROS)
    fact = ReceiptKept(
        receipt=receipt,
        amount_micros=amount_micros,
        channel=channel,
        reference_hash=reference_hash,
        operator=by.operator,
        key_hash=by.key_hash,
        source=chart.clearing(channel) if is_cleared else "",
        currency=checked_currency(currency) if currency else "",
        recorded_at=by.now,
    )
    stream = receipt_stream(receipt)

    def decide() -> Sequence[Event]:
        if receipt_of(ledger, receipt)[0] is not None:
            raise Refused(f"receipt {receipt!r} is kept already; give this one another code")
        return [Event(stream, 1, booked(fact))]

    # Without the operator: a bank file that another person imports once more is the same file.
    content = {"receipt": receipt, "amount_micros": str(amount_micros), "channel": channel}
    if is_cleared:
        content["is_cleared"] = "True"
    if currency:
        content["currency"] = currency
    return appended_once(ledger, decide, command=Command(f"receipt/{checked_key(by.key)}", content))


def identify_receipt(ledger: Ledger, *, receipt: str, account: str, by: By) -> Booked:
    """Credit an account with a kept receipt, once; raises NotFound for an unknown one, Refused where it was."""
    by.check()
    checked_code(receipt, what="receipt")
    stream = receipt_stream(receipt)

    def decide(standing: Standing) -> Sequence[Event]:
        attempt = Attempt(ledger, by, standing)
        kept, version = _kept(ledger, receipt)
        payee = attempt.open_account(account)
        if kept.currency not in {"", payee.currency}:
            raise Refused(
                f"receipt {receipt!r} is {text_from_micros(kept.amount_micros)} {kept.currency}, account"
                f" {account!r} is in {payee.currency}; return it, or convert it and top the account up by hand"
            )
        words = application(
            ledger,
            account=payee,
            standing=standing,
            policy=terms_of(ledger, payee, now=by.now).policy,
            amount_micros=kept.amount_micros,
            now=by.now,
        )
        identified = ReceiptIdentified(
            receipt=receipt,
            account=account,
            amount_micros=kept.amount_micros,
            operator=by.operator,
            recorded_at=by.now,
        )
        attempt.events.append(Event(stream, version + 1, identified))
        attempt.book_on(
            account,
            AccountCredited(
                account=account,
                amount_micros=kept.amount_micros,
                channel=kept.channel,
                reference_hash=kept.reference_hash,
                key_hash=by.key_hash,
                source=chart.UNIDENTIFIED,
                receipt_position=ledger.position_of(stream, 1),
                recorded_at=by.now,
                **words,
            ),
        )
        return attempt.events

    content = {"receipt": receipt, "account": account, "operator": by.operator}
    command = Command(f"identify/{checked_key(by.key)}", content)
    return appended_on_standing(ledger, decide, accounts=(account,), command=command)


def return_receipt(ledger: Ledger, *, receipt: str, by: By) -> Booked:
    """Book that a kept receipt went back to whoever had sent it, once; raises NotFound, or Refused for a gone one."""
    by.check()
    checked_code(receipt, what="receipt")
    stream = receipt_stream(receipt)

    def decide() -> Sequence[Event]:
        kept, version = _kept(ledger, receipt)
        fact = ReceiptReturned(
            receipt=receipt,
            amount_micros=kept.amount_micros,
            source=kept.money,
            reason=by.reason,
            operator=by.operator,
            key_hash=by.key_hash,
            recorded_at=by.now,
        )
        return [Event(stream, version + 1, booked(fact))]

    content = {"receipt": receipt, "reason": by.reason, "operator": by.operator}
    return appended_once(ledger, decide, command=Command(f"return/{checked_key(by.key)}", content))


def settle_clearing(
    ledger: Ledger, *, channel: str, gross_micros: int, fees_micros: int, commission_micros: int, bank: str, by: By
) -> Booked:
    """Book that a channel's provider paid out what it had for us, less its fees and its agents' commission."""
    by.check()
    for code, what in ((channel, "channel"), (bank, "bank")):
        checked_code(code, what=what)
    checked_amount(gross_micros, what="payout", most_micros=MAX_MICROS)
    if min(fees_micros, commission_micros) < 0 or fees_micros + commission_micros > gross_micros:
        raise InvalidValue(
            "fees and commission are amounts above zero, and together no more than what they are taken of"
        )
    fact = ClearingSettled(
        channel=channel,
        gross_micros=gross_micros,
        fees_micros=fees_micros,
        commission_micros=commission_micros,
        bank=bank,
        operator=by.operator,
        key_hash=by.key_hash,
        recorded_at=by.now,
    )
    stream = clearing_stream(channel)
    counted: Callable[[int, Fact], int] = lambda count, _: count + 1  # noqa: E731 - a fold of one line

    def decide() -> Sequence[Event]:
        return [Event(stream, ledger.folded(stream, counted, 0)[1] + 1, booked(fact))]

    content = {
        "channel": channel,
        "gross_micros": str(gross_micros),
        "fees_micros": str(fees_micros),
        "commission_micros": str(commission_micros),
        "bank": bank,
        "operator": by.operator,
    }
    return appended_once(ledger, decide, command=Command(f"clearing/{checked_key(by.key)}", content))


def receipt_of(ledger: Ledger, receipt: str) -> tuple[Receipt | None, int]:
    """Return a receipt as its events leave it, and its version; None and 0 where there is none of this code."""
    nothing: Receipt | None = None
    return ledger.folded(receipt_stream(receipt), receipt_stream_of.evolve, nothing)


def _kept(ledger: Ledger, receipt: str) -> tuple[ReceiptKept, int]:
    """Return what is kept still, and the version at which it is; raises NotFound, or Refused where it is gone.

    What follows is appended after that very version: read again, it could be somebody else's who was first.
    """
    state, version = receipt_of(ledger, receipt)
    if state is None:
        raise NotFound(f"there is no receipt {receipt!r}; keep it first, or check the code")
    if state.outcome == "identified":
        raise Refused(f"receipt {receipt!r} was credited to account {state.account!r} already")
    if state.outcome == "returned":
        raise Refused(f"receipt {receipt!r} was returned to whoever had sent it")
    return state.kept, version
