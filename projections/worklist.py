"""The worklist: what waits for a person, for as long as its cause stands. Any kind of cause may put items on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier

from ledger.domain.cuts import CutsDismissed, CutsHeld, CutsReleased
from ledger.domain.meter import ReadingHeld
from ledger.domain.meter_life import BaseChanged, SerialConfirmed
from ledger.domain.protection import ProtectionLifted, ProtectionReviewLapsed, SupplyProtected
from ledger.domain.receipt import ReceiptIdentified, ReceiptKept, ReceiptReopened, ReceiptReturned
from ledger.domain.relay import OrderConcluded, OrderIssued
from ledger.store.log import Logged
from ledger.values.money import text_from_micros
from projections.arrays import columns
from projections.model import ReadModel, Table

SERIAL_MISMATCH = "serial-mismatch"
PROTECTION_REVIEW = "protection-review"
HELD_BATCH = "held-batch"
RELAY_UNCONFIRMED = "relay-unconfirmed"
UNIDENTIFIED_RECEIPT = "unidentified-receipt"
# So many orders in a row for the same end, and the relay still is not as it should be: somebody has to go there.
TRIES_BEFORE_ESCALATION = 3

_PUT = SQL("""
INSERT INTO {schema}.worklist AS w (kind, subject, since, detail, position)
SELECT kind, subject, since, detail, position
FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::bigint[])
    AS n (kind, subject, since, detail, position)
ON CONFLICT (kind, subject) DO UPDATE SET detail = excluded.detail, position = excluded.position
""")
_TAKE_OFF = SQL("""
DELETE FROM {schema}.worklist AS w USING unnest(%s::text[], %s::text[]) AS n (kind, subject)
WHERE w.kind = n.kind AND w.subject = n.subject
""")
# What other read models know to be open is not kept twice. A crossed meter is on the list already.
_ITEMS = """
WITH waiting AS (
    SELECT kind, subject, since, detail FROM projections.worklist
    UNION ALL
    SELECT 'reading-held', supply, read_at, 'hold ' || position || ': ' || reason || ', ' || detail
    FROM projections.held_readings WHERE is_open AND reason <> 'crossed-meter'
    UNION ALL
    SELECT 'proposal', proposal, proposed_at, kind || ' proposed by ' || proposed_by || ': ' || summary
    FROM projections.proposals WHERE outcome = 'open' AND expires_at > now()
)
SELECT kind, subject, since, detail FROM waiting
WHERE %s::text IS NULL OR kind = %s ORDER BY since, kind, subject
"""


@dataclass(frozen=True, slots=True)
class Item:
    """Something that waits for a person: what kind, about what (a supply point's code, say), since when and why."""

    kind: str
    subject: str
    since: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class _Change:
    """An item as an event leaves it: None where it is done with."""

    kind: str
    subject: str
    item: Item | None


def _changes(event: Logged) -> Iterator[_Change]:
    """Yield what an event puts on the worklist, or takes off it."""
    match event.fact:
        case ReadingHeld(reason="crossed-meter") as fact:
            item = Item(SERIAL_MISMATCH, fact.supply, fact.read_at, fact.detail)
            yield _Change(SERIAL_MISMATCH, fact.supply, item)
        case SerialConfirmed() | BaseChanged():
            yield _Change(SERIAL_MISMATCH, event.fact.supply, None)
        case ProtectionReviewLapsed() as lapsed:
            detail = f"protected supply point; its review is due since {lapsed.review_on}: renew it, or lift it"
            item = Item(PROTECTION_REVIEW, lapsed.supply, lapsed.recorded_at, detail)
            yield _Change(PROTECTION_REVIEW, lapsed.supply, item)
        case SupplyProtected() | ProtectionLifted():
            yield _Change(PROTECTION_REVIEW, event.fact.supply, None)
        case CutsHeld() as fact:
            detail = f"batch {fact.batch}: {len(fact.supplies)} due, {fact.recent} cut lately, {fact.limit} may be"
            yield _Change(HELD_BATCH, fact.site, Item(HELD_BATCH, fact.site, fact.recorded_at, detail))
        case CutsReleased() | CutsDismissed():
            yield _Change(HELD_BATCH, event.fact.site, None)
        case OrderIssued() | OrderConcluded():
            yield from _relay_changes(event.fact)
        case ReceiptKept() | ReceiptReopened() as fact:
            amount = f"{text_from_micros(fact.amount_micros)} {getattr(fact, 'currency', '')}".rstrip()
            detail = f"{amount} came in, nobody knows for whom: identify it, or return it"
            item = Item(UNIDENTIFIED_RECEIPT, fact.receipt, fact.recorded_at, detail)
            yield _Change(UNIDENTIFIED_RECEIPT, fact.receipt, item)
        case ReceiptIdentified() | ReceiptReturned():
            yield _Change(UNIDENTIFIED_RECEIPT, event.fact.receipt, None)


def _relay_changes(fact: OrderIssued | OrderConcluded) -> Iterator[_Change]:
    """A relay that does not do as it is told, or an edge that will not tell it."""
    if isinstance(fact, OrderConcluded):
        if fact.outcome == "confirmed":
            yield _Change(RELAY_UNCONFIRMED, fact.supply, None)
        elif fact.outcome in {"refused", "superseded"}:
            detail = f"order {fact.sequence} {fact.outcome}: {fact.detail}"
            item = Item(RELAY_UNCONFIRMED, fact.supply, fact.recorded_at, detail)
            yield _Change(RELAY_UNCONFIRMED, fact.supply, item)
    elif fact.attempt >= TRIES_BEFORE_ESCALATION:
        detail = f"order {fact.sequence} to {fact.action} is number {fact.attempt} in a row, none was confirmed"
        item = Item(RELAY_UNCONFIRMED, fact.supply, fact.recorded_at, detail)
        yield _Change(RELAY_UNCONFIRMED, fact.supply, item)


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Apply a batch in its order: an item that is put on again keeps since when it has been there."""
    for run in _runs(events):
        put = [
            (change.kind, change.subject, change.item.since, change.item.detail, position)
            for change, position in run
            if change.item is not None
        ]
        done = [(change.kind, change.subject) for change, _ in run if change.item is None]
        if put:
            cursor.execute(_PUT.format(schema=Identifier(schema)), columns(put))
        if done:
            cursor.execute(_TAKE_OFF.format(schema=Identifier(schema)), columns(done))


def _runs(events: Sequence[Logged]) -> Iterator[list[tuple[_Change, int]]]:
    """Cut a batch's changes, which are rare, so that no run has two of one item."""
    run: list[tuple[_Change, int]] = []
    seen: set[tuple[str, str]] = set()
    for event in events:
        for change in _changes(event):
            key = (change.kind, change.subject)
            if key in seen:
                yield run
                run, seen = [], set()
            run.append((change, event.position))
            seen.add(key)
    if run:
        yield run


def items(connection: Connection[Any], *, kind: str | None = None) -> list[Item]:
    """Return what waits for a person, the longest first: this read model's items, open holds and proposals."""
    with connection.cursor(row_factory=class_row(Item)) as cursor:
        return cursor.execute(_ITEMS, (kind, kind)).fetchall()


MODEL = ReadModel("worklist", (Table("worklist", ("kind", "subject")),), project, passes_over_usage=True)
