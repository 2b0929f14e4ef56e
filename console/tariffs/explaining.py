"""How a debit came about: its evidence, what it was priced on, and the same derived again from the first event."""

from dataclasses import dataclass
from typing import Any

import msgspec
from psycopg import Connection

from console.errors import ConsoleError
from console.tariffs.published import published_tariffs
from console.tariffs.refolding import Refolded, refolded
from ledger.domain.meter import UsageDebited
from ledger.domain.tariff import TariffPublished
from ledger.store.log import read_log


class NoSuchDebit(ConsoleError):
    """There is no debit of this account at this position."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A debit as it was booked, the tariff versions behind its lines, and the debit derived again."""

    position: int
    debit: UsageDebited
    versions: tuple[TariffPublished, ...]
    again: Refolded

    @property
    def differences(self) -> list[str]:
        """What comes out differently when the stream is folded from its first event; empty where all is equal."""
        pairs = {
            "the counters before": (self.debit.before, self.again.before),
            "the counters after": (self.debit.state.counters, self.again.after),
            "the lines": (self.debit.lines, self.again.lines),
        }
        return [what for what, (booked, derived) in pairs.items() if booked != derived]


def explained(connection: Connection[Any], *, account: str, position: int) -> Explained:
    """Explain the debit at a position of the ledger; raises NoSuchDebit where this account has none there."""
    found = read_log(connection, after=position - 1, upto=position, limit=1)
    if not found:
        raise NoSuchDebit(f"the ledger has no event at position {position}; take it from the journal")
    fact = found[0].fact
    if not isinstance(fact, UsageDebited):
        raise NoSuchDebit(f"position {position} is no debit, it is a {fact.topic.partition('/')[0]!r}")
    if fact.account != account:
        raise NoSuchDebit(f"the debit at position {position} is of account {fact.account!r}, not of {account!r}")
    again = refolded(connection, supply=fact.supply, upto=position)
    wanted = {(line.tariff, line.version) for line in fact.lines}
    versions = tuple(
        row
        for history in published_tariffs(connection).values()
        for row in history.versions
        if (row.tariff, row.version) in wanted
    )
    return Explained(position, fact, versions, again)


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
