"""The seals as the database keeps them: reading, adding, and how far the witness has them."""

from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.integrity.keys import PublicKeys, SealingKey
from ledger.integrity.seals import Seal

_PAGE_SEALS = 500
_COLUMNS: LiteralString = (
    "number, first_position, last_position, events, encode(root, 'hex'), encode(previous, 'hex'), sealed_at, key_id,"
    " encode(signature, 'hex')"
)


def seals_after(connection: Connection[Any], *, after: int, upto: int = 2**62) -> Iterator[Seal]:
    """Yield the seals after a number, in order, a page at a time."""
    while True:
        page = _seals(
            connection, "WHERE number > %s AND number <= %s ORDER BY number LIMIT %s", (after, upto, _PAGE_SEALS)
        )
        yield from page
        if len(page) < _PAGE_SEALS:
            return
        after = page[-1].number


def newest_seal(connection: Connection[Any]) -> Seal | None:
    """Return the newest seal; None where nothing is sealed yet."""
    return next(iter(_seals(connection, "ORDER BY number DESC LIMIT 1", ())), None)


def seal_numbered(connection: Connection[Any], number: int) -> Seal | None:
    """Return the seal of this number, if there is one."""
    return next(iter(_seals(connection, "WHERE number = %s", (number,))), None)


def seal_over(connection: Connection[Any], position: int) -> Seal | None:
    """Return the seal that covers a position, if there is one."""
    found = _seals(connection, "WHERE last_position >= %s ORDER BY last_position LIMIT 1", (position,))
    return next((seal for seal in found if seal.first_position <= position), None)


def leaves_of(connection: Connection[Any], number: int) -> list[bytes]:
    """Return the leaf hashes kept with a seal; none where they are gone or cut."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute("SELECT leaves FROM ledger.seal_leaves WHERE number = %s", (number,)).fetchone()
    kept = b"" if row is None else bytes(row[0])
    return [kept[at : at + 32] for at in range(0, len(kept), 32)]


def add_seal(connection: Connection[Any], seal: Seal, leaves: Sequence[bytes]) -> None:
    """Add a seal with the hashes of its events; raises psycopg's UniqueViolation where another has its number."""
    hexed = (seal.root, seal.previous, seal.signature)
    root, previous, signature = (bytes.fromhex(value) for value in hexed)
    connection.execute(
        "INSERT INTO ledger.seals VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            seal.number,
            seal.first_position,
            seal.last_position,
            seal.events,
            root,
            previous,
            seal.sealed_at,
            seal.key_id,
            signature,
        ),
    )
    connection.execute("INSERT INTO ledger.seal_leaves VALUES (%s, %s)", (seal.number, b"".join(leaves)))


def introduce_key(connection: Connection[Any], key: SealingKey, *, first_seal: int) -> bool:
    """Keep a key's public half beside those before it; tell whether it was new."""
    added = connection.execute(
        "INSERT INTO ledger.sealing_keys (key_id, public_key, first_seal) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (key.key_id, key.public_key, first_seal),
    )
    return added.rowcount == 1


def kept_keys(connection: Connection[Any]) -> dict[str, bytes]:
    """Return every public key that the database knows, by id, the oldest first."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("SELECT key_id, public_key FROM ledger.sealing_keys ORDER BY first_seal, key_id")
        return {key_id: bytes(key) for key_id, key in cursor}


def public_keys(connection: Connection[Any]) -> PublicKeys:
    """Return the same as what signatures are verified with."""
    return PublicKeys({key_id: key for key_id, key in kept_keys(connection).items() if len(key) == 32})


def witnessed(connection: Connection[Any]) -> int:
    """Return the number of the newest seal that the witness is known to have."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute("SELECT number FROM ledger.witnessed").fetchone()
    return 0 if row is None else int(row[0])


def acknowledge(connection: Connection[Any], number: int) -> None:
    """Take note that the witness has this seal and all before it."""
    connection.execute("UPDATE ledger.witnessed SET number = %s", (number,))


def _seals(connection: Connection[Any], clause: LiteralString, parameters: Sequence[int]) -> list[Seal]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM ledger.seals {clause}", parameters)  # noqa: S608 - literals of ours
        return [
            Seal(
                number=row[0],
                first_position=row[1],
                last_position=row[2],
                events=row[3],
                root=row[4],
                previous=row[5],
                sealed_at=row[6].astimezone(UTC),
                key_id=row[7],
                signature=row[8],
            )
            for row in cursor
        ]
