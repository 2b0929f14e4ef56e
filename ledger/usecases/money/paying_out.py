"""Money that leaves an account for good: refunds, closing; and debt that is paid."""

from ledger.domain.account_facts import AccountClosed, DebtCollected, Refunded
from ledger.store.application import Ledger
from ledger.usecases.codes import checked_code
from ledger.usecases.money.attempt import Attempt, MoneyCommand, checked_amount
from ledger.values.errors import Refused
from ledger.values.money import minor_unit_micros, text_from_micros

MAX_MICROS = 10_000_000 * 1_000_000


class Refund(MoneyCommand, frozen=True, kw_only=True, tag="refund"):
    """Pay some of an account's balance out through a channel; never more than there is."""

    account: str
    amount_micros: int
    channel: str

    def accounts(self, _ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs."""
        return (checked_code(self.account, what="account"),)

    @property
    def weighed_micros(self) -> int:
        """What counts against the limit of what one person may decide."""
        return self.amount_micros

    def decide(self, attempt: Attempt) -> None:
        """Book the refund; raises Refused for more than the balance, and of what is disputed nothing is due yet."""
        checked_amount(self.amount_micros, what="refund", most_micros=MAX_MICROS)
        checked_code(self.channel, what="channel")
        attempt.account(self.account)
        balance_micros = attempt.standing.balance_micros(self.account)
        if self.amount_micros > balance_micros:
            raise Refused(
                f"account {self.account!r} has {text_from_micros(balance_micros)} to its credit;"
                f" {text_from_micros(self.amount_micros)} cannot be refunded from that"
            )
        attempt.book_on(
            self.account,
            Refunded(
                account=self.account,
                amount_micros=self.amount_micros,
                channel=self.channel,
                taxes=attempt.taxes(self.account, change_micros=-self.amount_micros),
                **attempt.by.words,
            ),
        )


class CollectDebt(MoneyCommand, frozen=True, kw_only=True, tag="collect"):
    """Take a payment on an account's debt through a channel; never more than is owed."""

    account: str
    amount_micros: int
    channel: str

    def accounts(self, _ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs."""
        return (checked_code(self.account, what="account"),)

    def decide(self, attempt: Attempt) -> None:
        """Book the payment; raises Refused for more than the debt: the rest would be a top-up."""
        checked_amount(self.amount_micros, what="payment", most_micros=MAX_MICROS)
        checked_code(self.channel, what="channel")
        attempt.account(self.account)
        debt_micros = attempt.standing.debt_micros(self.account)
        if self.amount_micros > debt_micros:
            raise Refused(
                f"account {self.account!r} owes {text_from_micros(debt_micros)}, less than the"
                f" {text_from_micros(self.amount_micros)} paid; collect what is owed, top up with the rest"
            )
        attempt.book_on(
            self.account,
            DebtCollected(
                account=self.account,
                amount_micros=self.amount_micros,
                channel=self.channel,
                taxes=attempt.taxes(self.account, change_micros=0),
                **attempt.by.words,
            ),
        )


class CloseAccount(MoneyCommand, frozen=True, kw_only=True, tag="close"):
    """Close an account and settle its balance; the rest goes out through `channel`, or is unclaimed without one."""

    account: str
    channel: str = ""

    def accounts(self, _ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs."""
        return (checked_code(self.account, what="account"),)

    def decide(self, attempt: Attempt) -> None:
        """Book the closing; raises Refused while something is disputed, and where nothing is left to settle."""
        if self.channel:
            checked_code(self.channel, what="channel")
        account = attempt.account(self.account)
        if account.disputes:
            raise Refused(
                f"account {account.code!r} has an open dispute, {min(account.disputes)!r}; resolve it first"
            )
        balance_micros = attempt.standing.balance_micros(account.code)
        if account.is_closed and balance_micros == 0 and not attempt.standing.accrued_micros(account.code):
            raise Refused(f"account {account.code!r} is closed, and nothing was booked on it since")
        credit_micros = max(balance_micros, 0)
        accrued_micros = attempt.standing.accrued_micros(account.code)
        paid_micros = min(credit_micros, attempt.standing.debt_micros(account.code) + accrued_micros)
        rounding_micros = (credit_micros - paid_micros) % minor_unit_micros(account.currency)
        attempt.book_on(
            account.code,
            AccountClosed(
                account=account.code,
                channel=self.channel,
                debt_paid_micros=paid_micros,
                paid_out_micros=credit_micros - paid_micros - rounding_micros,
                rounding_micros=rounding_micros,
                overdrawn_micros=max(-balance_micros, 0),
                accrued_micros=accrued_micros,
                taxes=attempt.taxes(account.code, change_micros=-balance_micros),
                **attempt.by.words,
            ),
        )
