"""What webhooks told, as rows: there before the provider is answered, so that nothing it heard `yes` to is lost."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from console.payments.port import PaymentEvent
from ledger.usecases.money.payments import News
from ledger.values.errors import Conflict
from ledger.values.outside import reference_hash

CHANNEL = "payments"
State = Literal["waiting", "booked", "noted", "held"]

_KEEP = """
INSERT INTO payments.deliveries (provider, event, news, reference_hash, amount_micros, currency, account, charge,
    fee_micros, why, happened_at, digest)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (provider, event) DO NOTHING RETURNING id
"""
_DUE = """
SELECT id, provider, event, news, reference_hash, amount_micros, currency, account, charge, fee_micros, why, attempts,
    received_at
FROM payments.deliveries WHERE state = 'waiting' AND not_before <= %s ORDER BY not_before, id LIMIT 1
"""
_MARK = """
UPDATE payments.deliveries SET state = %s, detail = %s, position = %s, not_before = %s, attempts = attempts + 1,
    changed_at = now()
WHERE id = %s
"""
# What waited for this payment to be told of, or was held since nothing told of it, is due at once, in the order in
# which it came; what is held for another reason will be once more.
_WAKE = """
UPDATE payments.deliveries SET not_before = now(), state = 'waiting'
WHERE provider = %s AND reference_hash = %s AND state IN ('waiting', 'held') AND id <> %s
"""
# A chargeback that happened after a dispute was won, whichever of the two is booked first.
_ONCE_MORE = """
SELECT 1 FROM payments.deliveries AS other JOIN payments.deliveries AS this USING (provider, reference_hash)
WHERE this.id = %s AND (
    (this.news = 'charged-back' AND other.news = 'dispute-won' AND other.state = 'booked'
        AND other.happened_at < this.happened_at)
    OR (this.news = 'dispute-won' AND other.news = 'charged-back' AND other.happened_at > this.happened_at)
)
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """News as it is kept."""

    id: int
    provider: str
    event: str
    news: News
    reference_hash: str
    amount_micros: int
    currency: str
    account: str
    charge: str
    fee_micros: int
    why: str
    attempts: int
    received_at: datetime


def keep(connection: Connection[Any], event: PaymentEvent, *, provider: str, reference_key: str) -> bool:
    """Keep news in a transaction of the caller's; tell whether it is new. Raises Conflict for an id with other news.

    What the provider calls the payment goes to personal data, where it can be erased; here its keyed hash stands.
    """
    hashed = reference_hash(f"{provider}:{event.payment}", key_hex=reference_key)
    digest = hashlib.sha256(msgspec.json.encode(event)).digest()
    key = (provider, event.event)
    words = (event.news, hashed, event.amount_micros, event.currency, event.account, event.charge)
    told = (event.fee_micros, event.why, event.happened_at, digest)
    if connection.execute(_KEEP, (*key, *words, *told)).fetchone() is None:
        _check_same(connection, key, digest)
        return False
    if event.account:
        # What names no account could never be erased with one. Without a column named in the conflict, so that who
        # may only write here need not read.
        connection.execute(
            "INSERT INTO people.outside_references (reference_hash, account, reference) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            (hashed, event.account, event.payment),
        )
    connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
    return True


def next_due(connection: Connection[Any], *, now: datetime) -> Delivery | None:
    """Return what is to be booked next."""
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute(_DUE, (now,)).fetchone()


def mark(
    connection: Connection[Any],
    delivery: Delivery,
    state: State,
    *,
    now: datetime,
    detail: str = "",
    position: int = 0,
) -> None:
    """Say how it stands; `now` is when what waits is looked at again."""
    connection.execute(_MARK, (state, detail, position, now, delivery.id))


def is_charged_back_once_more(connection: Connection[Any], delivery: Delivery) -> bool:
    """Tell whether this is a chargeback after a won dispute, or a won dispute with a chargeback after it."""
    return connection.execute(_ONCE_MORE, (delivery.id,)).fetchone() is not None


def wake(connection: Connection[Any], delivery: Delivery) -> None:
    """Let what waited for this payment be looked at again."""
    connection.execute(_WAKE, (delivery.provider, delivery.reference_hash, delivery.id))


def why_failed(connection: Connection[Any], *, provider: str, reference_hash: str) -> str | None:
    """Return why a payment failed, by what was told of it; None where nothing told that it did."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        cursor.execute(
            "SELECT why FROM payments.deliveries WHERE provider = %s AND reference_hash = %s AND news = 'failed'"
            " ORDER BY id LIMIT 1",
            (provider, reference_hash),
        )
        return cursor.fetchone()


def _check_same(connection: Connection[Any], key: tuple[str, str], digest: bytes) -> None:
    with connection.cursor(row_factory=scalar_row) as cursor:
        cursor.execute("SELECT digest FROM payments.deliveries WHERE provider = %s AND event = %s", key)
        kept = cursor.fetchone()
    if kept is not None and bytes(kept) != digest:
        raise Conflict(
            f"event {key[1]!r} of {key[0]!r} was delivered before with other content; what came first stands:"
            " an id names one event, whatever is sent again"
        )
