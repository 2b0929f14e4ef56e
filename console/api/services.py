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
from ledger.store.people import keep_reference
from ledger.values.errors import Refused
from ledger.values.outside import reference_hash
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

    def kept_reference(self, reference: str, *, account: str) -> str:
        """Keep an outside reference with personal data and return its keyed hash, which alone enters the ledger.

        Raises Refused where this process has no key to hash it with.
        """
        if not self.receiver.reference_key:
            raise Refused(
                "no reference is kept here: `serve` was started without WATTLEDGER_REFERENCE_KEY; leave it out"
            )
        hashed = reference_hash(reference, key_hex=self.receiver.reference_key)
        with self.reading() as connection:
            keep_reference(connection, account=account, reference=reference, reference_hash=hashed)
        return hashed

    def now(self) -> datetime:
        """Return the time at which a command is recorded."""
        return datetime.now(UTC)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()
        self.ledger.close()
