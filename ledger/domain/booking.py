"""The transaction of every kind of fact: one pure function each, from the fact's own fields (design I1).

What a fact books is worked out before it is appended and stored in it, so it stands whatever this module says later.
A kind of fact that moves no money is named here, too: one that is in neither list stops the tests.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from ledger.domain import chart
from ledger.domain.account import AccountCredited
from ledger.domain.account_facts import (
    AccountClosed,
    Adjusted,
    AdvanceTax,
    DebitCorrected,
    DebtCollected,
    Refunded,
    TopUpChargedBack,
    TopUpReversed,
    TopUpTransferred,
    Undone,
    WrittenOff,
)
from ledger.domain.agent import AgentDeposited, AgentSaleUndone, AgentSold
from ledger.domain.credit.applying import part_micros
from ledger.domain.credit.facts import ChargeAccrued, DebtAgreed, InstalmentCollected
from ledger.domain.event import Fact, Posting
from ledger.domain.meter import BillingPeriodClosed, TimeChargeDebited, UsageCorrected, UsageDebited
from ledger.domain.meter_life import OccupancyCorrected
from ledger.domain.postings import balanced, correction_postings, debit_postings, top_up_postings
from ledger.domain.receipt import ClearingSettled, ProviderFeeKept, ReceiptKept, ReceiptReturned
from ledger.domain.vending import EnergyVended

F = TypeVar("F", bound=Fact)


def booked(fact: F) -> F:
    """Return the fact with the postings that it books; raises KeyError for a kind that has no function."""
    return msgspec.structs.replace(fact, postings=BOOKS[fact.topic](fact))


def _debited(fact: UsageDebited | TimeChargeDebited | BillingPeriodClosed | EnergyVended) -> list[Posting]:
    return debit_postings(account=fact.account, lines=fact.lines)


def _corrected(fact: UsageCorrected | OccupancyCorrected) -> list[Posting]:
    return correction_postings(fact.lines)


def _credited(fact: AccountCredited) -> list[Posting]:
    paid = top_up_postings(
        account=fact.account,
        channel=fact.channel,
        amount_micros=fact.amount_micros,
        source=fact.source,
        debt_micros=part_micros(fact.applied, "debt"),
        accrued_micros=part_micros(fact.applied, "accrued"),
    )
    return balanced([*paid, *_advance_taxes(fact.taxes)])


def _agreed(fact: DebtAgreed) -> list[Posting]:
    owed_until_now = {
        "balance": Posting(chart.PREPAYMENT, fact.account, -fact.amount_micros),
        "brought-forward": Posting(chart.BROUGHT_FORWARD, "", -fact.amount_micros),
    }[fact.source]
    owed = Posting(chart.DEBT, fact.account, fact.amount_micros)
    return balanced([owed, owed_until_now, *_advance_taxes(fact.taxes)])


def _collected(fact: InstalmentCollected) -> list[Posting]:
    paid = [
        Posting(chart.PREPAYMENT, fact.account, fact.amount_micros),
        Posting(chart.DEBT, fact.account, -fact.amount_micros),
    ]
    return balanced([*paid, *_advance_taxes(fact.taxes)])


def _accrued(fact: ChargeAccrued) -> list[Posting]:
    moved = [
        Posting(chart.ACCRUED_CHARGES, fact.account, fact.amount_micros),
        Posting(chart.PREPAYMENT, fact.account, -fact.amount_micros),
    ]
    return balanced([*moved, *_advance_taxes(fact.taxes)])


def _undone(fact: Undone) -> list[Posting]:
    """The balance gives what is left of the top-up, a debt stands for the rest; the money goes where it came from."""
    return [
        Posting(chart.PREPAYMENT, fact.account, fact.unspent_micros),
        Posting(chart.DEBT, fact.account, fact.debt_micros),
    ]


def _reversed(fact: TopUpReversed) -> list[Posting]:
    returned = Posting(fact.source, "", -fact.amount_micros)
    return balanced([*_undone(fact), returned, *_advance_taxes(fact.taxes)])


def _charged_back(fact: TopUpChargedBack) -> list[Posting]:
    taken = Posting(fact.source, "", -fact.amount_micros - fact.fee_micros)
    fee = Posting(chart.CHARGEBACKS, "", fact.fee_micros)
    return balanced([*_undone(fact), fee, taken, *_advance_taxes(fact.taxes)])


def _transferred(fact: TopUpTransferred) -> list[Posting]:
    given = Posting(chart.PREPAYMENT, fact.to_account, -fact.amount_micros)
    return balanced([*_undone(fact), given, *_advance_taxes(fact.taxes)])


def _refunded(fact: Refunded) -> list[Posting]:
    paid = [
        Posting(chart.PREPAYMENT, fact.account, fact.amount_micros),
        Posting(chart.cash(fact.channel), "", -fact.amount_micros),
    ]
    return balanced([*paid, *_advance_taxes(fact.taxes)])


def _adjusted(fact: Adjusted) -> list[Posting]:
    given = [
        Posting(fact.against, "", fact.amount_micros),
        Posting(chart.PREPAYMENT, fact.account, -fact.amount_micros),
    ]
    return balanced([*given, *_advance_taxes(fact.taxes)])


def _debit_corrected(fact: DebitCorrected) -> list[Posting]:
    return balanced([*correction_postings(fact.lines), *_advance_taxes(fact.taxes)])


def _written_off(fact: WrittenOff) -> list[Posting]:
    given_up = [
        Posting(chart.WRITE_OFFS, "", fact.debt_micros + fact.overdrawn_micros),
        Posting(chart.DEBT, fact.account, -fact.debt_micros),
        Posting(chart.PREPAYMENT, fact.account, -fact.overdrawn_micros),
    ]
    return balanced([*given_up, *_advance_taxes(fact.taxes)])


def _debt_collected(fact: DebtCollected) -> list[Posting]:
    paid = [
        Posting(chart.cash(fact.channel), "", fact.amount_micros),
        Posting(chart.DEBT, fact.account, -fact.amount_micros),
    ]
    return balanced([*paid, *_advance_taxes(fact.taxes)])


def _closed(fact: AccountClosed) -> list[Posting]:
    taken = fact.debt_paid_micros + fact.paid_out_micros + fact.rounding_micros - fact.overdrawn_micros
    rest = chart.cash(fact.channel) if fact.channel else chart.UNCLAIMED
    settled = [
        Posting(chart.PREPAYMENT, fact.account, taken),
        Posting(chart.DEBT, fact.account, fact.accrued_micros + fact.overdrawn_micros - fact.debt_paid_micros),
        Posting(chart.ACCRUED_CHARGES, fact.account, -fact.accrued_micros),
        Posting(rest, "", -fact.paid_out_micros),
        Posting(chart.ROUNDING, "", -fact.rounding_micros),
    ]
    return balanced([*settled, *_advance_taxes(fact.taxes)])


def _kept(fact: ReceiptKept) -> list[Posting]:
    return balanced(
        [
            Posting(fact.money, "", fact.amount_micros),
            Posting(chart.UNIDENTIFIED, "", -fact.amount_micros),
        ]
    )


def _returned(fact: ReceiptReturned) -> list[Posting]:
    return balanced(
        [
            Posting(chart.UNIDENTIFIED, "", fact.amount_micros),
            Posting(fact.source, "", -fact.amount_micros),
        ]
    )


def _fee_kept(fact: ProviderFeeKept) -> list[Posting]:
    return balanced(
        [
            Posting(chart.provider_fees(fact.channel), "", fact.amount_micros),
            Posting(chart.clearing(fact.channel), "", -fact.amount_micros),
        ]
    )


def _settled(fact: ClearingSettled) -> list[Posting]:
    net = fact.gross_micros - fact.fees_micros - fact.commission_micros
    return balanced(
        [
            Posting(chart.cash(fact.bank), "", net),
            Posting(chart.provider_fees(fact.channel), "", fact.fees_micros),
            Posting(chart.agent_commission(fact.channel), "", fact.commission_micros),
            Posting(chart.clearing(fact.channel), "", -fact.gross_micros),
        ]
    )


def _sold(fact: AgentSold) -> list[Posting]:
    return _earned(fact.agent, fact.commission_micros)


def _sale_undone(fact: AgentSaleUndone) -> list[Posting]:
    return _earned(fact.agent, -fact.commission_micros)


def _earned(agent: str, commission_micros: int) -> list[Posting]:
    """What an agent keeps of the cash that they hold; the top-up itself is booked by the account's fact."""
    return balanced(
        [
            Posting(chart.agent_commission(agent), "", commission_micros),
            Posting(chart.agent_cash(agent), "", -commission_micros),
        ]
    )


def _deposited(fact: AgentDeposited) -> list[Posting]:
    return balanced(
        [
            Posting(chart.cash(fact.bank), "", fact.amount_micros),
            Posting(chart.agent_cash(fact.agent), "", -fact.amount_micros),
        ]
    )


def _advance_taxes(taxes: list[AdvanceTax]) -> list[Posting]:
    postings: list[Posting] = []
    for tax in taxes:
        postings.append(Posting(chart.tax_on_advances(tax.component), tax.account, tax.amount_micros))
        postings.append(Posting(chart.tax_payable(tax.component), "", -tax.amount_micros))
    return postings


BOOKS: dict[str, Callable[[Any], list[Posting]]] = {
    UsageDebited.topic: _debited,
    TimeChargeDebited.topic: _debited,
    EnergyVended.topic: _debited,
    BillingPeriodClosed.topic: _debited,
    UsageCorrected.topic: _corrected,
    OccupancyCorrected.topic: _corrected,
    AccountCredited.topic: _credited,
    TopUpReversed.topic: _reversed,
    TopUpChargedBack.topic: _charged_back,
    TopUpTransferred.topic: _transferred,
    Refunded.topic: _refunded,
    Adjusted.topic: _adjusted,
    DebitCorrected.topic: _debit_corrected,
    WrittenOff.topic: _written_off,
    DebtCollected.topic: _debt_collected,
    DebtAgreed.topic: _agreed,
    InstalmentCollected.topic: _collected,
    ChargeAccrued.topic: _accrued,
    AccountClosed.topic: _closed,
    AgentSold.topic: _sold,
    AgentSaleUndone.topic: _sale_undone,
    AgentDeposited.topic: _deposited,
    ReceiptKept.topic: _kept,
    ReceiptReturned.topic: _returned,
    ClearingSettled.topic: _settled,
    ProviderFeeKept.topic: _fee_kept,
}
