"""Balances put right by hand: adjustments, a share of a debit given back, write-offs."""

from typing import Literal

from ledger.domain import chart
from ledger.domain.account_facts import Adjusted, DebitCorrected, WrittenOff
from ledger.domain.meter import BillingPeriodClosed, Difference, TimeChargeDebited, UsageDebited
from ledger.domain.vending import EnergyVended
from ledger.store.application import Ledger
from ledger.usecases.codes import checked_code
from ledger.usecases.money.attempt import Attempt, MoneyCommand, checked_amount
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.money import text_from_micros

MAX_MICROS = 10_000_000 * 1_000_000
Debit = UsageDebited | TimeChargeDebited | BillingPeriodClosed
Bearer = Literal["adjustments", "gifts"]
_BEARERS: dict[Bearer, str] = {"adjustments": chart.ADJUSTMENTS, "gifts": chart.GIFTS}


class Adjust(MoneyCommand, frozen=True, kw_only=True, tag="adjust"):
    """Change a balance by hand, above zero in the consumer's favour; adjustments or gifts bear it."""

    account: str
    amount_micros: int
    bearer: Bearer = "adjustments"

    def accounts(self, _ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs."""
        return (checked_code(self.account, what="account"),)

    @property
    def weighed_micros(self) -> int:
        """What counts against the limit of what one person may decide."""
        return abs(self.amount_micros)

    def decide(self, attempt: Attempt) -> None:
        """Book the adjustment; raises InvalidValue for none at all."""
        if self.amount_micros == 0:
            raise InvalidValue("an adjustment of 0.00 changes nothing; give an amount, below zero to take money away")
        checked_amount(abs(self.amount_micros), what="adjustment", most_micros=MAX_MICROS)
        attempt.open_account(self.account)
        attempt.book_on(
            self.account,
            Adjusted(
                account=self.account,
                amount_micros=self.amount_micros,
                against=_BEARERS[self.bearer],
                taxes=attempt.taxes(self.account, change_micros=self.amount_micros),
                **attempt.by.words,
            ),
        )


class CorrectDebit(MoneyCommand, frozen=True, kw_only=True, tag="correct-debit"):
    """Give some of a debit, of usage or of time, back to the account that it named: a share of each of its lines."""

    debit_position: int
    amount_micros: int

    def accounts(self, ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs."""
        return (self._debit(ledger).account,)

    @property
    def weighed_micros(self) -> int:
        """What counts against the limit of what one person may decide."""
        return self.amount_micros

    def decide(self, attempt: Attempt) -> None:
        """Book the correction; raises Refused for more than is left of the debit."""
        checked_amount(self.amount_micros, what="correction", most_micros=MAX_MICROS)
        debit = self._debit(attempt.ledger)
        given_micros = attempt.account(debit.account).given_back_micros.get(self.debit_position, 0)
        left_micros = debit.amount_micros - given_micros
        if self.amount_micros > left_micros:
            raise Refused(
                f"of the debit at position {self.debit_position} {text_from_micros(left_micros)} is left,"
                f" {text_from_micros(given_micros)} of {text_from_micros(debit.amount_micros)} was given back before;"
                f" {text_from_micros(self.amount_micros)} is more than that"
            )
        lines = shares_of_lines(debit, -self.amount_micros)
        moved_micros = {line.component: -line.amount_micros for line in lines if line.at_payment}
        attempt.book_on(
            debit.account,
            DebitCorrected(
                account=debit.account,
                supply=debit.supply,
                debit_position=self.debit_position,
                lines=lines,
                amount_micros=-self.amount_micros,
                taxes=attempt.taxes(debit.account, change_micros=self.amount_micros, moved_micros=moved_micros),
                **attempt.by.words,
            ),
        )

    def _debit(self, ledger: Ledger) -> Debit:
        logged = ledger.event_at(self.debit_position)
        if logged is None or not isinstance(logged.fact, Debit):
            what = "" if logged is None else f"; what is there is {logged.fact.topic}"
            if logged is not None and isinstance(logged.fact, EnergyVended):
                what = ", but a token, which the meter may have taken already: adjust the account instead"
            raise NotFound(f"there is no debit at position {self.debit_position}{what}; check the position")
        return logged.fact


def shares_of_lines(debit: Debit, amount_micros: int) -> list[Difference]:
    """Share an amount out over a debit's lines in proportion, to the micro-unit: the last line takes what is left.

    Each line's share is cumulated before it is rounded down, so that the shares add up to the amount.
    """
    shares: list[Difference] = []
    so_far = given = 0
    for line in debit.lines:
        so_far += line.amount_micros
        share = so_far * amount_micros // debit.amount_micros - given
        given += share
        if share:
            shares.append(
                Difference(
                    account=debit.account,
                    period=debit.state.counters.period,
                    component=line.component,
                    reversed_micros=line.amount_micros,
                    rerated_micros=line.amount_micros + share,
                    amount_micros=share,
                    tariff=line.tariff,
                    version=line.version,
                    tax=line.tax,
                    allowance=line.allowance,
                    at_payment=line.at_payment,
                )
            )
    return shares


class WriteOff(MoneyCommand, frozen=True, kw_only=True, tag="write-off"):
    """Give up some of what an account owes: its debt first, then a balance below zero."""

    account: str
    amount_micros: int

    def accounts(self, _ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs."""
        return (checked_code(self.account, what="account"),)

    @property
    def weighed_micros(self) -> int:
        """What counts against the limit of what one person may decide."""
        return self.amount_micros

    def decide(self, attempt: Attempt) -> None:
        """Book the write-off; raises Refused for more than is owed."""
        checked_amount(self.amount_micros, what="write-off", most_micros=MAX_MICROS)
        attempt.account(self.account)
        debt_micros = attempt.standing.debt_micros(self.account)
        overdrawn_micros = max(-attempt.standing.balance_micros(self.account), 0)
        if self.amount_micros > debt_micros + overdrawn_micros:
            raise Refused(
                f"account {self.account!r} owes {text_from_micros(debt_micros + overdrawn_micros)};"
                f" {text_from_micros(self.amount_micros)} cannot be written off from that"
            )
        of_debt_micros = min(self.amount_micros, debt_micros)
        of_balance_micros = self.amount_micros - of_debt_micros
        attempt.book_on(
            self.account,
            WrittenOff(
                account=self.account,
                debt_micros=of_debt_micros,
                overdrawn_micros=of_balance_micros,
                taxes=attempt.taxes(self.account, change_micros=of_balance_micros),
                **attempt.by.words,
            ),
        )
