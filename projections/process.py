"""The shell of a long-running process on PostgreSQL: one active at a time, woken by NOTIFY, back after an outage."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from types import FrameType
from typing import Any, LiteralString

import psycopg
import structlog
from eventsourcing import persistence
from psycopg import Connection, errors
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow, scalar_row
from psycopg.sql import SQL, Identifier

from ledger.store.log import await_news
from projections.errors import DatabaseFailed

log = structlog.get_logger(__name__)

# The server's ending of an idle transaction is no OperationalError in psycopg, but the connection is as gone.
_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.IdleInTransactionSessionTimeout,
    persistence.OperationalError,
    persistence.InterfaceError,
)

_CONNECT_TIMEOUT_S = 10
_STAND_BY_S = 0.5
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a process does: `turn` does a bounded piece and tells whether there may be more to do at once.

    `lock` is the advisory lock that makes it the only one; `channel` wakes it, as does `idle_s` without news. A
    process that falls silent for `silence_s` (stopped, or its machine gone) loses its connection, and so its office.
    `end` is called when the office is over, however it ended.
    """

    name: LiteralString
    lock: int
    channel: LiteralString
    idle_s: float
    begin: Callable[[Connection[TupleRow]], None]
    turn: Callable[[Connection[TupleRow]], bool]
    elected: Callable[[bool], None]
    end: Callable[[], None] = lambda: None
    silence_s: int = 15


def connect(url: str, *, name: str) -> Connection[TupleRow]:
    """Connect in autocommit mode; over TCP, a server that vanished is noticed within half a minute."""
    return psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=_CONNECT_TIMEOUT_S,
        application_name=f"wattledger {name}",
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=4,
        tcp_user_timeout=30_000,
    )


def sibling(connection: Connection[Any], *, name: str) -> Connection[TupleRow]:
    """Open another connection to where one leads, as the same role."""
    url = make_conninfo(connection.info.dsn, password=connection.info.password or None)
    return connect(url, name=name)


def database_now(connection: Connection[Any]) -> datetime:
    """Return PostgreSQL's clock in UTC: one clock for all who date an order, whatever their hosts' say."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        now = cursor.execute("SELECT clock_timestamp()").fetchone()
    if not isinstance(now, datetime):
        raise AssertionError(f"PostgreSQL's clock says {now!r}")
    return now.astimezone(UTC)


@contextmanager
def stop_on_signals() -> Iterator[Event]:
    """Give an event that SIGTERM and SIGINT set while the block runs."""
    stop = Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def keep_working(work: Work, *, url: str, stop: Event) -> None:
    """Work until `stop` is set, connecting again with growing pauses when PostgreSQL goes away.

    Whatever a turn had not committed is done again from the positions in the database, so an outage neither skips
    nor doubles anything. An error that is not PostgreSQL's being away ends the process: DatabaseFailed where the
    schema or a right is missing, anything else as it is.
    """
    pause_s = _FIRST_PAUSE_S
    while not stop.is_set():
        try:
            with connect(url, name=work.name) as connection, connect(url, name=f"{work.name} news") as news:
                _limit_silence(connection, work.silence_s)
                news.execute(SQL("LISTEN {}").format(Identifier(work.channel)))
                if not _elected(work, connection, stop):
                    return
                pause_s = _FIRST_PAUSE_S
                _take_turns(work, connection, news, stop)
        except (errors.UndefinedTable, errors.InvalidSchemaName, errors.InsufficientPrivilege) as error:
            raise DatabaseFailed(
                f"the database is not ready for {work.name} ({str(error).strip()}); run `wattledger migrate`,"
                " and check the role in WATTLEDGER_DATABASE_URL"
            ) from error
        except _AWAY as error:
            log.warning("PostgreSQL is away", process=work.name, error=str(error).strip(), again_in_s=pause_s)
            stop.wait(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        finally:
            work.elected(False)
            work.end()


def _limit_silence(connection: Connection[Any], silence_s: int) -> None:
    for setting in ("idle_session_timeout", "idle_in_transaction_session_timeout"):
        connection.execute("SELECT set_config(%s, %s, false)", (setting, f"{silence_s}s"))


def _elected(work: Work, connection: Connection[Any], stop: Event) -> bool:
    """Wait to be the only one; the lock lasts as long as the connection that does the work, never longer."""
    stood_by = False
    while not stop.is_set():
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (work.lock,)).fetchone()
        if row and row[0]:
            log.info("active", process=work.name)
            work.elected(True)
            return True
        if not stood_by:
            log.info("standing by", process=work.name)
            stood_by = True
        stop.wait(_STAND_BY_S)
    return False


def _take_turns(work: Work, connection: Connection[TupleRow], news: Connection[Any], stop: Event) -> None:
    work.begin(connection)
    while not stop.is_set():
        began = monotonic()
        if work.turn(connection):
            continue
        # Rest as long as the turn took: a flood of news never makes this process take all of PostgreSQL.
        stop.wait(min(monotonic() - began, work.idle_s))
        await_news(news, timeout_s=work.idle_s)
