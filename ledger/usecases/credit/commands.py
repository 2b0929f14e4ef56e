"""Commands on an account's credit: take emergency credit, agree on a debt."""

from ledger.domain.credit.facts import DebtAgreed, DebtSource, EmergencyCreditTaken
from ledger.domain.credit.standing import credit_standing
from ledger.store.application import Ledger
from ledger.usecases.codes import checked_code
from ledger.usecases.credit.policies import terms_of
from ledger.usecases.credit.standing import figures_of
from ledger.usecases.money.attempt import Attempt, MoneyCommand, checked_amount
from ledger.values.errors import InvalidValue, Refused
from ledger.values.money import text_from_micros

MAX_MICROS = 10_000_000 * 1_000_000


class TakeEmergencyCredit(MoneyCommand, frozen=True, kw_only=True, tag="take-emergency-credit"):
    """The consumer takes the emergency credit that they are offered."""

    account: str
    channel: str = "kiosk"

    def accounts(self, _ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs."""
        return (checked_code(self.account, what="account"),)

    def decide(self, attempt: Attempt) -> None:
        """Take it; raises Refused where it is not offered, saying why."""
        checked_code(self.channel, what="channel")
        account = attempt.open_account(self.account)
        policy = terms_of(attempt.ledger, account, now=attempt.by.now).policy
        figures = figures_of(account, attempt.standing)
        standing = credit_standing(policy, figures, attempt.by.now)
        if standing.emergency != "offered":
            raise Refused(
                f"account {account.code!r} is not offered emergency credit: {self._why(standing.emergency)}"
            )
        attempt.say_of(
            account.code,
            EmergencyCreditTaken(
                account=account.code,
                limit_micros=standing.emergency_limit_micros,
                balance_micros=figures.balance_micros,
                channel=self.channel,
                **attempt.by.words,
            ),
        )

    def _why(self, emergency: str) -> str:
        if emergency == "taken":
            return "it is taken already, or comes by itself; it is offered again when a top-up has paid it back"
        return "its policy has none, or its balance is not below the one at which it is offered"


class AgreeDebt(MoneyCommand, frozen=True, kw_only=True, tag="agree-debt"):
    """Agree on what a consumer owes and repays by the policy: a balance below zero, or debt from before."""

    account: str
    amount_micros: int
    source: DebtSource

    def accounts(self, _ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs."""
        return (checked_code(self.account, what="account"),)

    @property
    def weighed_micros(self) -> int:
        """What counts against the limit of what one person may decide."""
        return self.amount_micros if self.source == "brought-forward" else 0

    def decide(self, attempt: Attempt) -> None:
        """Book the debt; raises Refused for more than the balance is below zero, where that is what is owed."""
        checked_amount(self.amount_micros, what="debt", most_micros=MAX_MICROS)
        if self.source not in ("balance", "brought-forward"):
            raise InvalidValue(f"debt from {self.source!r} is not known; use balance or brought-forward")
        account = attempt.open_account(self.account)
        overdrawn_micros = max(-attempt.standing.balance_micros(account.code), 0)
        is_of_balance = self.source == "balance"
        if is_of_balance and self.amount_micros > overdrawn_micros:
            raise Refused(
                f"account {account.code!r} is {text_from_micros(overdrawn_micros)} below zero;"
                f" {text_from_micros(self.amount_micros)} of it cannot become debt"
            )
        attempt.book_on(
            account.code,
            DebtAgreed(
                account=account.code,
                amount_micros=self.amount_micros,
                source=self.source,
                taxes=attempt.taxes(account.code, change_micros=self.amount_micros if is_of_balance else 0),
                **attempt.by.words,
            ),
        )
