"""What the API works with: the ledger for commands, a pool of connections for questions, who tells of payments."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg_pool import ConnectionPool

from console.payments.receiving import Receiver
from console.tokens.secrets_kept import SETTING, sealing_key
from ledger.store.application import Ledger
from ledger.values.errors import Refused
from projections.checkpoint import checkpoint

_CONNECTIONS = 8


class Services:
    """Opened once per process; close it when done."""

    def __init__(self, *, url: str, receiver: Receiver | None = None, token_key: str = "") -> None:
        self.ledger = Ledger(url=url, checkpoint=checkpoint)
        self.receiver = receiver or Receiver()
        self._token_key = token_key
        self._pool = ConnectionPool(
            url, min_size=1, max_size=_CONNECTIONS, open=True, kwargs={"autocommit": True}, timeout=10
        )

    @contextmanager
    def reading(self) -> Iterator[Connection[Any]]:
        """Lend a connection in autocommit mode."""
        with self._pool.connection() as connection:
            yield connection

    def token_key(self) -> bytes:
        """Return the key that meters' secrets are sealed with; raises Refused where this process has none."""
        if not self._token_key:
            raise Refused(f"no tokens are sold here: `serve` was started without {SETTING}")
        return sealing_key({SETTING: self._token_key})

    def now(self) -> datetime:
        """Return the time at which a command is recorded."""
        return datetime.now(UTC)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()
        self.ledger.close()
