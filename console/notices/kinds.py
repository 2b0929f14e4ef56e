"""Which events people are told of, and with which figures. Personal data is none of it."""

from dataclasses import dataclass, field
from datetime import datetime

from ledger.domain.account import AccountCredited
from ledger.domain.credit.facts import EmergencyCreditTaken
from ledger.domain.event import Fact
from ledger.domain.relay import GraceBegun, LockCleared, LowBalanceWarned, OrderConcluded
from ledger.domain.tariff import TariffPublished
from ledger.values.money import text_from_micros

# What cannot wait for the morning, and is never too much.
URGENT = frozenset({"cut-ahead", "cut-done", "reconnected", "ready"})


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell: `account` is empty where it has to be looked up (by supply point, or by tariff)."""

    kind: str
    account: str = ""
    supply: str = ""
    tariff: str = ""
    values: dict[str, str] = field(default_factory=dict)


def notice_of(fact: Fact) -> Notice | None:  # noqa: PLR0911 - a case per fact
    """Return what is to be told of a fact, if anything."""
    match fact:
        case LowBalanceWarned():
            values = {"balance": text_from_micros(fact.balance_micros), "level": str(fact.level)}
            return Notice("low-balance", fact.account, fact.supply, values=values)
        case EmergencyCreditTaken():
            return Notice("emergency", fact.account, values={"limit": text_from_micros(fact.limit_micros)})
        case GraceBegun():
            return Notice("cut-ahead", fact.account, fact.supply, values={"until": _moment(fact.until)})
        case LockCleared(cause="credit"):
            return Notice("ready", fact.account, fact.supply)
        case OrderConcluded(outcome="confirmed", readback="open"):
            return Notice("cut-done", supply=fact.supply)
        case OrderConcluded(outcome="confirmed", readback="closed"):
            return Notice("reconnected", supply=fact.supply)
        case AccountCredited():
            return Notice("receipt", fact.account, values={"amount": text_from_micros(fact.amount_micros)})
        case TariffPublished() if fact.effective_from > fact.recorded_at:
            values = {"from": _moment(fact.effective_from), "tariff": fact.tariff}
            return Notice("tariff-change", tariff=fact.tariff, values=values)
    return None


def _moment(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
