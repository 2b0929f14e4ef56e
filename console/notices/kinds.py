"""Which events people are told of, and with which figures. Personal data is none of it."""

from dataclasses import dataclass, field
from datetime import datetime

from ledger.domain.account import AccountCredited
from ledger.domain.autopay import ChargeFailed
from ledger.domain.credit.facts import EmergencyCreditTaken
from ledger.domain.event import Fact
from ledger.domain.relay import GraceBegun, LockCleared, LowBalanceWarned, OrderConcluded, OrderIssued
from ledger.domain.tariff import TariffPublished

# What cannot wait for the morning, and is never too much.
URGENT = frozenset({"cut-ahead", "cut-done", "locked-off", "reconnected", "ready"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to tell: amounts in micro-units of the account's currency, moments as instants, words as they are.

    `account` is empty where it has to be looked up by tariff. `cause` is what a supply is off for, if not for credit.
    """

    kind: str
    account: str = ""
    supply: str = ""
    tariff: str = ""
    cause: str = ""
    amounts: dict[str, int] = field(default_factory=dict)
    moments: dict[str, datetime] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


def notice_of(fact: Fact, order: OrderIssued | None = None) -> Notice | None:  # noqa: PLR0911 - a case per fact
    """Return what is to be told of a fact, if anything; `order` is the one that an OrderConcluded is about."""
    match fact:
        case LowBalanceWarned():
            return Notice(
                kind="low-balance",
                account=fact.account,
                supply=fact.supply,
                amounts={"balance": fact.balance_micros},
                words={"level": str(fact.level)},
            )
        case EmergencyCreditTaken():
            return Notice(kind="emergency", account=fact.account, amounts={"limit": fact.limit_micros})
        case GraceBegun():
            return Notice(kind="cut-ahead", account=fact.account, supply=fact.supply, moments={"until": fact.until})
        case LockCleared(cause="credit"):
            return Notice(kind="ready", account=fact.account, supply=fact.supply)
        case OrderConcluded(outcome="confirmed") if order is not None and order.account:
            return _of_relay(fact, order)
        case AccountCredited():
            return Notice(kind="receipt", account=fact.account, amounts={"amount": fact.amount_micros})
        case ChargeFailed():
            return _of_charge(fact)
        case TariffPublished() if fact.effective_from > fact.recorded_at:
            return Notice(kind="tariff-change", tariff=fact.tariff, moments={"from": fact.effective_from})
    return None


def _of_charge(fact: ChargeFailed) -> Notice:
    """Tell that an automatic top-up failed: it is tried again, or it is not, or a cap stands in its way."""
    amounts = {"amount": fact.amount_micros}
    if fact.again_at is not None:
        moments = {"again": fact.again_at}
        return Notice(kind="top-up-failed", account=fact.account, amounts=amounts, moments=moments)
    kind = "top-up-capped" if fact.attempt == 0 else "top-up-given-up"
    return Notice(kind=kind, account=fact.account, amounts=amounts)


def _of_relay(fact: OrderConcluded, order: OrderIssued) -> Notice | None:
    """Tell that a supply is off or on; a top-up brings back only what is off for credit."""
    if fact.readback == "closed":
        return Notice(kind="reconnected", account=order.account, supply=fact.supply)
    if fact.readback != "open":
        return None
    causes = [cause for cause in order.locks if cause != "credit"]
    if causes:
        return Notice(kind="locked-off", account=order.account, supply=fact.supply, cause=causes[0])
    return Notice(kind="cut-done", account=order.account, supply=fact.supply)
