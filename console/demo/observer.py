"""What the demo sees, as finance sees it: balances, relays, the news of the ledger, and how long things took."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import tuple_row

from projections import latencies, queries

_WAIT_S = 0.5
# Debits that became visible since the last look, with the time at which their reading was published.
_NEW_DEBITS = """
SELECT (convert_from(state, 'UTF8')::jsonb #>> '{source,published_at}')::timestamptz
FROM ledger.events
WHERE notification_id > %s AND notification_id <= %s AND topic = 'meter.usage-debited/1'
"""
_PROJECTED_TO = "SELECT position FROM projections.tracking WHERE name = 'balances'"


@dataclass(slots=True)
class Sight:
    """One look at the whole."""

    balances: list[queries.Balance] = field(default_factory=list)
    relays: list[queries.RelayState] = field(default_factory=list)
    figures: queries.Figures | None = None
    lag_events: int = 0


class Observer:
    """Watches the read models from a thread of its own; a context manager."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="observer", daemon=True)
        self.reading_to_balance_s: list[float] = []
        self.sight = Sight()

    def __enter__(self) -> "Observer":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def top_up_to_relay_s(self) -> list[float]:
        """Return how long each reconnection took, from the top-up to the relay's read-back."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            return latencies.top_up_to_relay_s(connection)

    def _watch(self) -> None:
        with (
            psycopg.connect(self._url, autocommit=True) as listener,
            psycopg.connect(self._url, autocommit=True) as connection,
        ):
            listener.execute("LISTEN projections")
            seen = 0
            while not self._stop.is_set():
                # Measured at each word from the projector, and nowhere else: a look of our own would be later.
                for _ in listener.notifies(timeout=_WAIT_S, stop_after=1):
                    seen = self._measure(connection, seen)
                self.sight = _look(connection)

    def _measure(self, connection: Connection[Any], seen: int) -> int:
        now = datetime.now(UTC)
        with connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(_PROJECTED_TO).fetchone()
            position = seen if row is None else row[0]
            for (published_at,) in cursor.execute(_NEW_DEBITS, (seen, position)):
                self.reading_to_balance_s.append((now - published_at).total_seconds())
        return int(position)


def _look(connection: Connection[Any]) -> Sight:
    return Sight(
        balances=queries.balances(connection),
        relays=queries.relay_states(connection, now=datetime.now(UTC)),
        figures=queries.figures(connection),
        lag_events=queries.lag_events(connection),
    )
