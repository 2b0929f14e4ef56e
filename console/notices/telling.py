"""The process `notify`: takes the log in, keeps what is to be told, and tells it. It holds nothing of the ledger up.

A row per event, account and channel is there before anything is sent, marked `sending` in a transaction of its own.
Who dies meanwhile finds it again and sends once more; after that it is `unknown`, for a person to look at.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from psycopg import Connection
from psycopg.rows import tuple_row

from console.notices.kinds import URGENT, Notice, notice_of
from console.notices.senders import ADDRESSES, Senders
from console.notices.templates import worded
from ledger.domain.account import AccountOpened
from ledger.domain.event import Fact
from ledger.domain.relay import OrderConcluded, OrderIssued
from ledger.store.log import Logged, head_of, read_control_log
from ledger.store.mapper import fact_of
from ledger.store.people import LOCALES
from ledger.values.identity import account_stream
from projections.process import database_now

log = structlog.get_logger(__name__)

LOCK = 0x6E6F7469  # "noti" as an advisory lock
_BATCH = 500
_ATTEMPTS = 5
_DAY = timedelta(days=1)

_KEEP = """
INSERT INTO notices.told (position, account, kind, channel, outcome, not_before, detail)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_DUE = """
SELECT position, account, kind, channel, attempts FROM notices.told
WHERE outcome = 'waiting' AND not_before <= %s ORDER BY not_before, position LIMIT 1
"""
_MARK = """
UPDATE notices.told SET outcome = %s, attempts = %s, not_before = %s, detail = %s, changed_at = now()
WHERE position = %s AND account = %s AND kind = %s AND channel = %s
"""
_RECOVER = """
UPDATE notices.told SET outcome = CASE WHEN detail = 'interrupted' THEN 'unknown' ELSE 'waiting' END,
    detail = 'interrupted', not_before = now(), changed_at = now()
WHERE outcome = 'sending'
"""
_SENT = """
SELECT count(*) FROM notices.told WHERE account = %s AND outcome = 'sent' AND changed_at > %s
    AND NOT kind = ANY (%s)
"""
_ON_TARIFF = """
SELECT DISTINCT ON (o.supply) o.account FROM projections.occupancies AS o
WHERE o.supply IN (
    SELECT convert_from(state, 'UTF8')::jsonb ->> 'supply' FROM ledger.events
    WHERE topic NOT LIKE 'meter.%%' AND topic = 'supply.terms-assigned/1'
        AND convert_from(state, 'UTF8')::jsonb ->> 'tariff' = %s)
ORDER BY o.supply, o.occupied_from DESC
"""


@dataclass(slots=True, kw_only=True)
class Teller:
    """Takes in and tells; `quiet_until` returns until when a time of night lasts, None by day.

    Moments are told in `zone`.
    """

    senders: Senders
    quiet_until: Callable[[datetime], datetime | None]
    zone: str = "UTC"
    per_day: int = 20
    count: Callable[[str], None] = lambda _: None

    def begin(self, connection: Connection[Any]) -> None:
        """Begin at the ledger's head the first time; find again what was being sent."""
        head, _ = head_of(connection)
        connection.execute("INSERT INTO notices.position (position) VALUES (%s) ON CONFLICT DO NOTHING", (head,))
        connection.execute(_RECOVER)

    def turn(self, connection: Connection[Any]) -> bool:
        """Take a batch of the log in, then tell one thing that is due; tell whether there was any."""
        took = self._take_in(connection)
        return self._tell_next(connection) or took

    def _take_in(self, connection: Connection[Any]) -> bool:
        head, _ = head_of(connection)
        with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute("SELECT position FROM notices.position FOR UPDATE").fetchone()
            after = head if row is None else int(row[0])
            if after >= head:
                return False
            events = read_control_log(connection, after=after, upto=head, limit=_BATCH)
            for event in events:
                self._keep(connection, event)
            reached = events[-1].position if len(events) == _BATCH else head
            cursor.execute("UPDATE notices.position SET position = %s", (reached,))
        return True

    def _keep(self, connection: Connection[Any], event: Logged) -> None:
        notice = notice_of(event.fact, _order_of(connection, event.stream, event.fact))
        if notice is None:
            return
        now = database_now(connection)
        not_before = now if notice.kind in URGENT else self.quiet_until(now) or now
        for account in _accounts(connection, notice):
            channels = self.senders.channels_of(_details(connection, account))
            for channel in channels:
                words = (event.position, account, notice.kind, channel, "waiting", not_before, "")
                connection.execute(_KEEP, words)
            if not channels:
                words = (event.position, account, notice.kind, "", "failed", now, "no address that a channel reaches")
                connection.execute(_KEEP, words)

    def _tell_next(self, connection: Connection[Any]) -> bool:
        now = database_now(connection)
        with connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(_DUE, (now,)).fetchone()
        if row is None:
            return False
        key, attempts = row[:4], row[4] + 1
        if self._is_too_much(connection, row[1], row[2], now):
            self.count("limited")
            _mark(connection, key, "limited", row[4], now, f"more than {self.per_day} a day")
            return True
        with connection.transaction():
            connection.execute(
                "UPDATE notices.told SET outcome = 'sending', attempts = %s, changed_at = now()"
                " WHERE position = %s AND account = %s AND kind = %s AND channel = %s",
                (attempts, *key),
            )
        position, account, _, channel = key
        detail = self._send(connection, position, account, channel)
        self.count("failed" if detail else "sent")
        if not detail:
            _mark(connection, key, "sent", attempts, now, "")
        elif attempts >= _ATTEMPTS:
            _mark(connection, key, "failed", attempts, now, detail)
        else:
            _mark(connection, key, "waiting", attempts, now + timedelta(minutes=2**attempts), detail)
        log.info("told" if not detail else "not told", position=key[0], kind=key[2], channel=key[3], detail=detail)
        return True

    def _is_too_much(self, connection: Connection[Any], account: str, kind: str, now: datetime) -> bool:
        if kind in URGENT:
            return False
        row = connection.execute(_SENT, (account, now - _DAY, list(URGENT))).fetchone()
        return row is not None and row[0] >= self.per_day

    def _send(self, connection: Connection[Any], position: int, account: str, channel: str) -> str:
        """Send; return why not, empty where it was taken. Nothing of the address is told."""
        details = _details(connection, account)
        to = details.get(ADDRESSES[channel], "")
        notice = _notice_at(connection, position)
        if notice is None or not to or channel not in self.senders.urls:
            return "the address is erased, or the channel is set up no more"
        title, text = worded(
            notice,
            account=account,
            position=position,
            language=details.get("locale", LOCALES[0]),
            currency=_currency_of(connection, account),
            zone=self.zone,
        )
        return "" if self.senders.send(channel, to=to, title=title, text=text) else "the channel did not take it"


def _mark(
    connection: Connection[Any], key: tuple[Any, ...], outcome: str, attempts: int, at: datetime, detail: str
) -> None:
    connection.execute(_MARK, (outcome, attempts, at, detail, *key))


def _details(connection: Connection[Any], account: str) -> dict[str, str]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute("SELECT kind, detail FROM people.details WHERE account = %s", (account,)).fetchall()
    return dict(rows)


def _accounts(connection: Connection[Any], notice: Notice) -> list[str]:
    if not notice.tariff:
        return [notice.account]
    rows = connection.execute(_ON_TARIFF, (notice.tariff,)).fetchall()
    return sorted({row[0] for row in rows})


def _notice_at(connection: Connection[Any], position: int) -> Notice | None:
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(
            "SELECT originator_id, topic, state FROM ledger.events WHERE notification_id = %s", (position,)
        ).fetchone()
    if found is None:
        return None
    stream, topic, state = found
    fact = fact_of(topic, bytes(state))
    return notice_of(fact, _order_of(connection, stream, fact))


def _order_of(connection: Connection[Any], stream: UUID, fact: Fact) -> OrderIssued | None:
    """Return the order that a conclusion is about: its sequence is its version."""
    if not isinstance(fact, OrderConcluded):
        return None
    order = _fact_at(connection, stream, fact.sequence)
    return order if isinstance(order, OrderIssued) else None


def _currency_of(connection: Connection[Any], account: str) -> str:
    opened = _fact_at(connection, account_stream(account), 1)
    return opened.currency if isinstance(opened, AccountOpened) else ""


def _fact_at(connection: Connection[Any], stream: UUID, version: int) -> Fact | None:
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "SELECT topic, state FROM ledger.events WHERE originator_id = %s AND originator_version = %s",
            (stream, version),
        ).fetchone()
    return None if row is None else fact_of(row[0], bytes(row[1]))
