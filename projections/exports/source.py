"""What is exported: events in the order of the ledger, read in pages from one snapshot of the database."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import scalar_row, tuple_row

from ledger.domain import books as books_stream_of
from ledger.domain.account import AccountOpened
from ledger.domain.accounting_month import accounting_month, effective_at, effective_month
from ledger.domain.books import OPEN
from ledger.domain.event import Fact, Posting
from ledger.store.mapper import fact_of
from projections.books import RULES
from projections.errors import ProjectionsError
from projections.postings import postings_of
from projections.replay import asked, replay

_PAGE = 1_000
_LOG = """
SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events
WHERE notification_id <= %s ORDER BY notification_id
"""


class CurrencyUnknown(ProjectionsError):
    """A transaction's currency cannot be told."""


@dataclass(frozen=True, slots=True)
class Exported:
    """An event with its times and months; `currency` is that of its postings, empty where it has none."""

    position: int
    stream: UUID
    version: int
    topic: str
    state: bytes
    fact: Fact
    effective_at: datetime
    month: str
    effective_month: str
    currency: str

    @property
    def recorded_at(self) -> datetime:
        """When the ledger took it in."""
        return self.fact.recorded_at

    @property
    def postings(self) -> list[Posting]:
        """Its transaction."""
        return postings_of(self.fact)


def exported(connection: Connection[Any], *, account: str | None, position: int) -> Generator[Exported, None, None]:
    """Yield every event up to a position, or every one that touches an account.

    The connection must be in autocommit mode. Raises NotFound for an account that nothing touches.
    """
    currencies = Currencies.known(connection)
    if account is None:
        yield from _whole(connection, position, currencies)
        return
    for step in replay(connection, asked(connection, account=account, position=position)):
        entry = step.entry
        yield Exported(
            position=entry.position,
            stream=step.stream,
            version=step.version,
            topic=step.topic,
            state=step.state,
            fact=step.fact,
            effective_at=entry.effective_at,
            month=entry.month,
            effective_month=entry.effective_month,
            currency=currencies.of(step.fact, position=entry.position),
        )


def expected_events(connection: Connection[Any], *, account: str | None, position: int) -> int:
    """Return how many events there will be, for a progress bar: of an account, as far as its index goes."""
    if account is None:
        return position
    with connection.cursor(row_factory=scalar_row) as cursor:
        cursor.execute(
            "SELECT count(*) FROM projections.account_entries WHERE account = %s AND position <= %s",
            (account, position),
        )
        return int(cursor.fetchone() or 0)


def _whole(connection: Connection[Any], upto: int, currencies: "Currencies") -> Iterator[Exported]:
    rules = OPEN
    with connection.transaction(), connection.cursor(name="export", row_factory=tuple_row) as cursor:
        cursor.itersize = _PAGE
        for position, stream, version, topic, state in cursor.execute(_LOG, (upto,)):
            fact = fact_of(topic, bytes(state))
            if isinstance(fact, RULES):
                rules = books_stream_of.evolve(rules, fact)
            effective = effective_month(fact, zone=rules.zone)
            yield Exported(
                position=position,
                stream=stream,
                version=version,
                topic=topic,
                state=bytes(state),
                fact=fact,
                effective_at=effective_at(fact),
                month=accounting_month(effective, closed_to=rules.closed_to),
                effective_month=effective,
                currency=currencies.of(fact, position=position),
            )


@dataclass(slots=True)
class Currencies:
    """The currency of each account, as the event that opened it has it."""

    by_account: dict[str, str]

    @classmethod
    def known(cls, connection: Connection[Any]) -> "Currencies":
        """Return those of the accounts that are projected."""
        with connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute("SELECT account, currency FROM projections.balances WHERE currency <> ''")
            return cls(dict(cursor.fetchall()))

    def of(self, fact: Fact, *, position: int) -> str:
        """Return the currency of a fact's postings, empty where it has none; raises CurrencyUnknown."""
        if isinstance(fact, AccountOpened):
            self.by_account[fact.account] = fact.currency
        postings = postings_of(fact)
        if not postings:
            return ""
        accounts = {posting.account for posting in postings if posting.account}
        found = {self.by_account[one] for one in accounts if one in self.by_account}
        # A transaction of no account that we know is in the ledger's one currency.
        found = found or set(self.by_account.values())
        if len(found) != 1:
            raise CurrencyUnknown(
                f"the currency of the transaction at position {position} cannot be told (accounts"
                f" {', '.join(sorted(accounts)) or 'none'}); is every account of it opened?"
            )
        return found.pop()
