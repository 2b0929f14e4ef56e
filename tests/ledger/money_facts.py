"""One fact of every topic that moves an account's money beside usage, or that people decide on together."""

from datetime import timedelta
from typing import Any

from ledger.domain import chart
from ledger.domain.account import AccountCredited
from ledger.domain.account_facts import (
    AccountClosed,
    Adjusted,
    AdvanceTax,
    DebitCorrected,
    DebtCollected,
    DisputeOpened,
    DisputeResolved,
    Refunded,
    TopUpChargedBack,
    TopUpReversed,
    TopUpTransferred,
    TransferReceived,
    WrittenOff,
)
from ledger.domain.agent import (
    AgentDeposited,
    AgentRegistered,
    AgentSaleUndone,
    AgentSold,
    AgentState,
    AgentTerms,
    AgentTermsChanged,
)
from ledger.domain.booking import booked
from ledger.domain.event import Fact
from ledger.domain.meter import Difference
from ledger.domain.policy import FourEyesChanged
from ledger.domain.proposal import ProposalApproved, ProposalExpired, ProposalMade, ProposalRejected
from ledger.domain.receipt import (
    ClearingSettled,
    ProviderFeeKept,
    ReceiptIdentified,
    ReceiptKept,
    ReceiptReopened,
    ReceiptReturned,
)
from ledger.domain.tariff import TariffPublished
from tests.ledger.builders import FLAT_TARIFF, MOVED_IN

PROPOSAL = "refund-1e1e1e1e1e"
KEY_HASH = "1e" * 32


def _order(reason: str) -> dict[str, Any]:
    """Who ordered it and why, approved by another."""
    return {
        "account": "room-1-a",
        "reason": reason,
        "operator": "li",
        "key_hash": KEY_HASH,
        "approved_by": "wang",
        "proposal": PROPOSAL,
        "recorded_at": MOVED_IN,
    }


def _taxes(amount_micros: int, account: str = "room-1-a") -> list[AdvanceTax]:
    return [AdvanceTax(account, "vat", amount_micros)]


_SPENT: dict[str, Any] = {
    "top_up_position": 12,
    "amount_micros": 50_000_000,
    "unspent_micros": 20_000_000,
    "debt_micros": 30_000_000,
    "source": chart.cash("kiosk"),
    "notice_until": MOVED_IN + timedelta(days=3),
    "taxes": _taxes(-2_300_885),
}

_TERMS = AgentTerms(
    commission_bps=150, commission_fixed_micros=100_000, float_limit_micros=2_000_000_000, is_open=False
)
_AGENT = AgentState(_TERMS, "CNY", 42, 48_350_000, 150_000_000, 50_000_000, 1_650_000, 50_000_000)
_OF_AGENT: dict[str, Any] = {"agent": "lobby", "state": _AGENT, "recorded_at": MOVED_IN}
_OF_SALE: dict[str, Any] = {
    **_OF_AGENT,
    "receipt_number": 42,
    "account": "room-1-a",
    "amount_micros": 50_000_000,
    "commission_micros": 850_000,
}

MONEY_FACTS: list[Fact] = [
    TariffPublished(
        tariff="flat",
        version=3,
        effective_from=MOVED_IN,
        text=FLAT_TARIFF,
        note="yearly",
        proposed_by="li",
        approved_by="wang",
        proposal="publish-tariff-1e1e1e1e1e",
        recorded_at=MOVED_IN,
    ),
    booked(
        AccountCredited(
            account="room-1-a",
            amount_micros=50_000_000,
            channel="bank",
            reference_hash="0f" * 32,
            key_hash=KEY_HASH,
            source=chart.UNIDENTIFIED,
            receipt_position=9,
            taxes=_taxes(5_752_212),
            recorded_at=MOVED_IN,
        )
    ),
    booked(TopUpReversed(**_order("wrong-account"), **_SPENT)),
    booked(TopUpChargedBack(**_order("card-stolen"), **_SPENT, fee_micros=15_000_000)),
    booked(TopUpTransferred(**_order("misapplied"), **_SPENT, to_account="room-2-a")),
    TransferReceived(
        account="room-2-a",
        from_account="room-1-a",
        top_up_position=12,
        amount_micros=50_000_000,
        recorded_at=MOVED_IN,
    ),
    booked(Refunded(**_order("moving-out"), amount_micros=600_000_000, channel="bank", taxes=_taxes(-69_026_549))),
    booked(Adjusted(**_order("goodwill"), amount_micros=5_000_000, against=chart.GIFTS, taxes=_taxes(575_221))),
    booked(
        DebitCorrected(
            **_order("meter-fault"),
            supply="room-1",
            debit_position=31,
            lines=[
                Difference("room-1-a", "2026-02", "energy", 617_000, 517_000, -100_000, "flat", 2),
                Difference(
                    "room-1-a", "2026-02", "vat", 80_210, 67_210, -13_000, "flat", 2, tax=True, at_payment=True
                ),
            ],
            amount_micros=-113_000,
            taxes=_taxes(-1),
        )
    ),
    booked(WrittenOff(**_order("gone"), debt_micros=30_000_000, overdrawn_micros=4_000, taxes=_taxes(460))),
    booked(DebtCollected(**_order("paid"), amount_micros=30_000_000, channel="kiosk", taxes=_taxes(1))),
    booked(
        AccountClosed(
            **_order("moved-out"),
            channel="bank",
            debt_paid_micros=10_000_000,
            paid_out_micros=9_990_000,
            rounding_micros=4_321,
            overdrawn_micros=0,
            taxes=_taxes(-2_300_385),
        )
    ),
    DisputeOpened(**_order("meter-fast"), dispute="d-1", amount_micros=40_000_000, about_position=31),
    DisputeResolved(
        **_order("meter-tested"), dispute="d-1", amount_micros=40_000_000, outcome="upheld", remedy_position=40
    ),
    booked(
        ReceiptKept(
            receipt="bank-2026-03-02-17",
            amount_micros=50_000_000,
            channel="bank",
            reference_hash="0f" * 32,
            operator="li",
            key_hash=KEY_HASH,
            recorded_at=MOVED_IN,
        )
    ),
    ReceiptIdentified(
        receipt="bank-2026-03-02-17",
        account="room-1-a",
        amount_micros=50_000_000,
        operator="li",
        recorded_at=MOVED_IN,
    ),
    booked(
        ReceiptKept(
            receipt="app-17",
            amount_micros=50_000_000,
            channel="app",
            reference_hash="0f" * 32,
            operator="li",
            key_hash=KEY_HASH,
            source=chart.clearing("app"),
            recorded_at=MOVED_IN,
        )
    ),
    booked(
        ReceiptKept(
            receipt="app-18",
            amount_micros=25_000_000,
            channel="app",
            reference_hash="0e" * 32,
            operator="payments",
            key_hash=KEY_HASH,
            source=chart.clearing("app"),
            currency="CNY",
            recorded_at=MOVED_IN,
        )
    ),
    ReceiptReopened(
        receipt="bank-2026-03-02-17",
        account="room-1-a",
        amount_micros=50_000_000,
        operator="li",
        recorded_at=MOVED_IN,
    ),
    booked(
        ReceiptReturned(
            receipt="app-17",
            amount_micros=50_000_000,
            source=chart.clearing("app"),
            reason="unknown-payee",
            operator="li",
            key_hash=KEY_HASH,
            recorded_at=MOVED_IN,
        )
    ),
    AgentRegistered(**_OF_AGENT, operator="li"),
    AgentTermsChanged(**_OF_AGENT, operator="li"),
    booked(AgentSold(**_OF_SALE)),
    booked(AgentSaleUndone(**_OF_SALE, top_up_position=12, operator="li")),
    booked(
        AgentDeposited(
            **_OF_AGENT, amount_micros=50_000_000, bank="icbc", reason="settled", operator="li", key_hash=KEY_HASH
        )
    ),
    booked(
        ClearingSettled(
            channel="app",
            gross_micros=1_000_000_000,
            fees_micros=6_000_000,
            commission_micros=4_000_000,
            bank="icbc",
            operator="li",
            key_hash=KEY_HASH,
            recorded_at=MOVED_IN,
        )
    ),
    booked(ProviderFeeKept(channel="app", amount_micros=150_000, reference_hash="0f" * 32, recorded_at=MOVED_IN)),
    ProposalMade(
        proposal=PROPOSAL,
        command={"kind": "refund", "account": "room-1-a", "amount_micros": 600_000_000, "channel": "bank"},
        reason="moving-out",
        operator="li",
        key_hash=KEY_HASH,
        why="600.00 is above 500.00, the most that one person decides alone",
        expires_at=MOVED_IN + timedelta(days=7),
        recorded_at=MOVED_IN,
    ),
    ProposalApproved(proposal=PROPOSAL, operator="wang", recorded_at=MOVED_IN),
    ProposalRejected(proposal=PROPOSAL, operator="wang", reason="wrong-channel", recorded_at=MOVED_IN),
    ProposalExpired(proposal=PROPOSAL, recorded_at=MOVED_IN),
    FourEyesChanged(
        site="north",
        effective_from=MOVED_IN,
        limit_micros=200_000_000,
        tariffs=False,
        operator="li",
        approved_by="wang",
        recorded_at=MOVED_IN,
    ),
]

# Behind every other example of its topic, so that those keep the names of their files.
SOLD_BY_AGENT: list[Fact] = [
    booked(
        AccountCredited(
            account="room-1-a",
            amount_micros=50_000_000,
            channel="kiosk",
            reference_hash="",
            key_hash=KEY_HASH,
            source=chart.agent_cash("lobby"),
            agent="lobby",
            receipt_number=42,
            recorded_at=MOVED_IN,
        )
    ),
]
