"""Payment methods: bound in the ledger by keyed hash; the provider's own name is kept with personal data."""

from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row

from ledger.store.application import Ledger
from ledger.usecases.autopay import Saying, bind_method, unbind_method
from ledger.values.errors import InvalidValue, NotFound
from ledger.values.outside import reference_hash

_LONGEST = 500
_FORGET = "DELETE FROM people.payment_methods WHERE account = %s AND method = %s"


def bind(
    connection: Connection[Any],
    ledger: Ledger,
    *,
    by: Saying,
    method: str,
    provider: str,
    token: str,
    reference_key: str,
) -> int:
    """Bind a method under a code of ours and keep the provider's name for it; return the position, 0 if it is bound.

    The connection is one that may write personal data. Raises InvalidValue for what can be no token, and what
    `bind_method` raises; then nothing is kept.
    """
    if not (1 <= len(token) <= _LONGEST and token.isprintable()):
        # What is refused is not shown.
        raise InvalidValue(f"the token is not 1 to {_LONGEST} printable characters; give the provider's own id")
    hashed = reference_hash(f"{provider}:{token}", key_hex=reference_key)
    with connection.transaction():
        # Not an upsert, so that who may only write here need not read.
        connection.execute(_FORGET, (by.account, method))
        connection.execute(
            "INSERT INTO people.payment_methods (account, method, token) VALUES (%s, %s, %s)",
            (by.account, method, token),
        )
        return bind_method(ledger, by=by, method=method, provider=provider, reference_hash=hashed)


def unbind(connection: Connection[Any], ledger: Ledger, *, by: Saying, method: str, reason: str) -> int:
    """Unbind a method and forget the provider's name for it; return the position.

    Raises what `unbind_method` raises; where it is not bound, what a killed command left of it is forgotten, too.
    """
    try:
        position = unbind_method(ledger, by=by, method=method, reason=reason)
    except NotFound:
        connection.execute(_FORGET, (by.account, method))
        raise
    connection.execute(_FORGET, (by.account, method))
    return position


def token_of(connection: Connection[Any], *, account: str, method: str) -> str | None:
    """Return the provider's own name for a method; None where it was erased."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            "SELECT token FROM people.payment_methods WHERE account = %s AND method = %s", (account, method)
        ).fetchone()
