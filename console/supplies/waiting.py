"""What waits for a person, wherever it is known: read models, heartbeats, meters' own credit, deliveries, charges."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from psycopg import Connection

from console.payments.charges import UNKNOWN_CHARGE, newest
from console.payments.desk import HELD_DELIVERY, shown
from ledger.store.heartbeats import silent
from ledger.store.meter_credit import recharged
from projections.worklist import Item, items

# Ten heartbeats that did not come, as collectors send them unless told otherwise.
SILENT_AFTER = timedelta(minutes=5)
SILENT = "collector-silent"
RECHARGED = "meter-recharged"
_RECHARGED_FOR = timedelta(days=31)
_MOST_HELD = 1_000
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an item stands among those that wait, the longest first; `detail` tells those of one subject apart."""

    since: int
    kind: str
    subject: str
    detail: str

    @classmethod
    def of(cls, item: Item) -> Self:
        """Return the place of an item."""
        digest = hashlib.sha256(item.detail.encode()).hexdigest()[:8]
        return cls((item.since - _EPOCH) // _MICROSECOND, item.kind, item.subject, digest)

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a place from its text."""
        since, kind, rest = text.split("/", 2)
        subject, _, detail = rest.rpartition("/")
        return cls(int(since), kind, subject, detail)

    def __str__(self) -> str:
        return f"{self.since}/{self.kind}/{self.subject}/{self.detail}"


def waiting(connection: Connection[Any], *, kind: str | None, now: datetime) -> list[Item]:
    """Return all that waits for a person, the longest first, or what of it is of a kind."""
    found = [*items(connection, kind=kind), *_elsewhere(connection, kind, now)]
    return sorted(found, key=Place.of)


def _elsewhere(connection: Connection[Any], kind: str | None, now: datetime) -> Iterator[Item]:
    if kind in (None, SILENT):
        for heard in silent(connection, now=now, after=SILENT_AFTER):
            yield Item(SILENT, heard.concentrator, heard.heard_at, f"{heard.collector} is not heard")
    if kind in (None, RECHARGED):
        for recharge in recharged(connection, since=now - _RECHARGED_FOR):
            yield Item(RECHARGED, recharge.meter, recharge.changed_at, f"{recharge.name} changed")
    if kind in (None, HELD_DELIVERY):
        for held in shown(connection, states=["held"], limit=_MOST_HELD):
            detail = f"{held.provider} told {held.news}: {held.detail}"
            yield Item(HELD_DELIVERY, str(held.id), held.changed_at, detail)
    if kind in (None, UNKNOWN_CHARGE):
        for charge in newest(connection, states=["unknown"], limit=_MOST_HELD):
            detail = f"{charge.provider} may have charged account {charge.account}: {charge.detail}"
            yield Item(UNKNOWN_CHARGE, charge.charge, charge.changed_at, detail)
