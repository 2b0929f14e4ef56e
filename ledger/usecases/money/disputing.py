"""Disputes: while one is open nobody is cut for credit, and what is disputed does not count as used."""

from ledger.domain.account_facts import DisputeOpened, DisputeResolved, Outcome
from ledger.store.application import Ledger
from ledger.usecases.codes import checked_code
from ledger.usecases.money.attempt import Attempt, MoneyCommand, checked_amount
from ledger.values.errors import NotFound, Refused

MAX_MICROS = 10_000_000 * 1_000_000


class OpenDispute(MoneyCommand, frozen=True, kw_only=True, tag="dispute"):
    """The consumer disputes an amount, and the event at a position if they name one (0: none)."""

    account: str
    dispute: str
    amount_micros: int
    about_position: int = 0

    def accounts(self, _ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs."""
        return (checked_code(self.account, what="account"),)

    def decide(self, attempt: Attempt) -> None:
        """Open it; raises Refused for a second one of the same code, NotFound for an event of other accounts."""
        checked_code(self.dispute, what="dispute")
        checked_amount(self.amount_micros, what="disputed amount", most_micros=MAX_MICROS)
        account = attempt.open_account(self.account)
        if self.dispute in account.disputes:
            raise Refused(f"account {account.code!r} has a dispute {self.dispute!r} open; give this one another code")
        if self.about_position:
            check_concerns(attempt, self.about_position, account.code)
        attempt.say_of(
            account.code,
            DisputeOpened(
                account=account.code,
                dispute=self.dispute,
                amount_micros=self.amount_micros,
                about_position=self.about_position,
                **attempt.by.words,
            ),
        )


class ResolveDispute(MoneyCommand, frozen=True, kw_only=True, tag="resolve-dispute"):
    """Resolve a dispute; one that is upheld names the event that put things right (`remedy_position`)."""

    account: str
    dispute: str
    outcome: Outcome
    remedy_position: int = 0

    def accounts(self, _ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs."""
        return (checked_code(self.account, what="account"),)

    def decide(self, attempt: Attempt) -> None:
        """Resolve it; raises NotFound for one that is not open, Refused for one upheld without a remedy."""
        account = attempt.account(self.account)
        if self.dispute not in account.disputes:
            known = ", ".join(sorted(account.disputes)) or "none is open"
            raise NotFound(f"account {account.code!r} has no open dispute {self.dispute!r}; open: {known}")
        if (self.outcome == "upheld") != bool(self.remedy_position):
            raise Refused(
                "a dispute that is upheld names the event that put it right (correct the debit, or adjust, first),"
                " and no other dispute names one"
            )
        if self.remedy_position:
            check_concerns(attempt, self.remedy_position, account.code)
        attempt.say_of(
            account.code,
            DisputeResolved(
                account=account.code,
                dispute=self.dispute,
                amount_micros=account.disputes[self.dispute].amount_micros,
                outcome=self.outcome,
                remedy_position=self.remedy_position,
                **attempt.by.words,
            ),
        )


def check_concerns(attempt: Attempt, position: int, account: str) -> None:
    """Raise NotFound where the event at a position moved nothing of an account's."""
    fact = attempt.logged(position).fact
    if all(posting.account != account for posting in getattr(fact, "postings", ())):
        raise NotFound(f"the event at position {position}, {fact.topic}, moved no money of account {account!r}")
