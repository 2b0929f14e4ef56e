"""API keys: made and revoked by command, hashed at rest, each with scopes and a rate limit of its own."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from psycopg import Connection
from psycopg.rows import class_row

from ledger.usecases.codes import checked_code
from ledger.values.errors import InvalidValue, NotFound

Scope = Literal["kiosk", "payment-provider", "finance", "operator", "auditor"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

_PREFIX = "wlk"
_SECRET_BYTES = 32
_COLUMNS = "id, name, scopes, requests_per_minute, created_by, created_at, expires_at, revoked_at, agent"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept, without its secret; what an `agent`'s key tops up is that agent's sale."""

    id: str
    name: str
    scopes: list[str]
    requests_per_minute: int
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    agent: str

    def is_valid(self, now: datetime) -> bool:
        """Tell whether the key still opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def create_key(
    connection: Connection[Any],
    *,
    name: str,
    scopes: Sequence[str],
    requests_per_minute: int,
    operator: str,
    expires_at: datetime | None = None,
    agent: str = "",
) -> str:
    """Make a key and return its text, which is kept nowhere; raises InvalidValue for a scope that there isn't.

    An `agent`'s key has the scope kiosk and no other: who sells for us neither reads our books nor books in our name.
    """
    checked_code(name, what="name of the key")
    checked_code(operator, what="operator")
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise InvalidValue(f"scope {unknown[0] if unknown else ''!r} is none; known: {', '.join(SCOPES)}")
    if agent and set(scopes) != {"kiosk"}:
        raise InvalidValue(f"the key of agent {agent!r} has the scope kiosk alone; make another for {sorted(scopes)}")
    if not 1 <= requests_per_minute <= 1_000_000:
        raise InvalidValue(f"{requests_per_minute} requests a minute is no limit; give 1 to 1000000")
    key_id = secrets.token_hex(6)
    text = f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    connection.execute(
        """INSERT INTO api.keys (id, name, scopes, digest, requests_per_minute, created_by, expires_at, agent)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
        (key_id, name, sorted(set(scopes)), digest_of(text), requests_per_minute, operator, expires_at, agent),
    )
    return text


def revoke_key(connection: Connection[Any], *, key_id: str, operator: str) -> None:
    """Revoke a key, at once and for good; raises NotFound where none of this id is in force."""
    checked_code(operator, what="operator")
    cursor = connection.execute(
        "UPDATE api.keys SET revoked_at = now(), revoked_by = %s WHERE id = %s AND revoked_at IS NULL",
        (operator, key_id),
    )
    if cursor.rowcount == 0:
        raise NotFound(f"there is no API key {key_id!r} in force; see `wattledger api-keys list`")


def all_keys(connection: Connection[Any]) -> list[ApiKey]:
    """Return every key there ever was, newest first."""
    with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
        return cursor.execute(f"SELECT {_COLUMNS} FROM api.keys ORDER BY created_at DESC").fetchall()  # noqa: S608


def found_key(connection: Connection[Any], text: str) -> ApiKey | None:
    """Return the key with this text; None where there is none."""
    with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
        query = f"SELECT {_COLUMNS} FROM api.keys WHERE digest = %s"  # noqa: S608 - columns of ours
        return cursor.execute(query, (digest_of(text),)).fetchone()


def digest_of(text: str) -> bytes:
    """Return what is kept of a key: it holds 256 random bits, so that a plain hash cannot be guessed back."""
    return hashlib.sha256(text.encode()).digest()
