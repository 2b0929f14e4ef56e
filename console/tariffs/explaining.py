"""How a debit came about: its evidence, what it was priced on, and the same derived again from the first event."""

from dataclasses import dataclass
from typing import Any

import msgspec
from psycopg import Connection

from console.errors import ConsoleError
from console.tariffs.explaining_time import TimeCharge
from console.tariffs.published import published_tariffs
from console.tariffs.refolding import Refolded, refolded
from ledger.domain.meter import UsageCorrected, UsageDebited
from ledger.domain.meter_life import OccupancyCorrected
from ledger.domain.tariff import TariffPublished
from ledger.store.log import read_log

# What books the differences of debits that were rated again: by a better figure, or for another payer.
Rerated = UsageCorrected | OccupancyCorrected


class NoSuchDebit(ConsoleError):
    """There is no debit of this account at this position."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A debit, or what corrected or rebooked some, as it was booked; its versions; and the same derived again."""

    position: int
    fact: UsageDebited | Rerated | TimeCharge
    versions: tuple[TariffPublished, ...]
    again: Refolded

    @property
    def amounts(self) -> dict[str, int]:
        """What was booked, in micro-units per component; nothing of what came to nothing."""
        totals: dict[str, int] = {}
        for line in self.fact.lines:
            totals[line.component] = totals.get(line.component, 0) + line.amount_micros
        return {name: amount for name, amount in totals.items() if amount}

    @property
    def differences(self) -> list[str]:
        """What comes out differently when the stream is folded from its first event; empty where all is equal."""
        if self.again.underivable:
            return [self.again.underivable]
        pairs: dict[str, tuple[object, object]] = {
            "the counters after": (self.fact.state.counters, self.again.after),
            "the amounts": (self.amounts, self.again.amounts),
        }
        if not isinstance(self.fact, Rerated):
            pairs["the counters before"] = (self.fact.before, self.again.before)
        return [f"{what} are not what was booked" for what, (booked, derived) in pairs.items() if booked != derived]


def explained(connection: Connection[Any], *, account: str, position: int) -> Explained:
    """Explain the debit at a position of the ledger; raises NoSuchDebit where this account has none there."""
    found = read_log(connection, after=position - 1, upto=position, limit=1)
    if not found:
        raise NoSuchDebit(f"the ledger has no event at position {position}; take it from the journal")
    fact = found[0].fact
    if not isinstance(fact, UsageDebited | Rerated | TimeCharge):
        raise NoSuchDebit(f"position {position} is no debit, it is a {fact.topic.partition('/')[0]!r}")
    payers = {fact.account} | {posting.account for posting in fact.postings if posting.account}
    if account not in payers:
        named = " and ".join(repr(payer) for payer in sorted(payers))
        raise NoSuchDebit(f"the debit at position {position} is of account {named}, not of {account!r}")
    wanted = {(line.tariff, line.version) for line in fact.lines}
    versions = tuple(
        row
        for history in published_tariffs(connection).values()
        for row in history.versions
        if (row.tariff, row.version) in wanted
    )
    return Explained(position, fact, versions, refolded(connection, supply=fact.supply, upto=position))


def fields_of(value: msgspec.Struct) -> dict[str, str]:
    """Return a struct's fields and their values in words, for a table."""
    return {name: _worded(inner) for name, inner in msgspec.structs.asdict(value).items()}


def _worded(value: object) -> str:
    if isinstance(value, msgspec.Struct):
        return ", ".join(f"{name} {inner}" for name, inner in fields_of(value).items())
    if isinstance(value, tuple | list):
        return "; ".join(_worded(inner) for inner in value)
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_worded(inner)}" for name, inner in value.items())
    return "" if value is None else str(value)
