"""Who people are: kept beside the ledger, never in an event, and erased on request without a trace in the ledger."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.values.errors import InvalidValue

KINDS = ("name", "phone", "email", "address", "ip", "note", "locale", "channels", "webhook", "chat")
LOCALES = ("en", "zh")
CHANNELS = ("email", "sms", "chat", "webhook")
_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Person:
    """What is kept of the person behind an account: details by kind, and raw outside references by their hash."""

    account: str
    details: dict[str, str]
    references: dict[str, str]

    @property
    def language(self) -> str:
        """The language that they read: `en` or `zh`."""
        return self.details.get("locale", LOCALES[0])


def keep_details(connection: Connection[Any], *, account: str, details: dict[str, str]) -> None:
    """Keep these details of an account; an empty one is erased. Raises InvalidValue for a kind that there is not."""
    for kind, detail in details.items():
        if kind not in KINDS:
            raise InvalidValue(f"{kind!r} is no kind of detail; there are {', '.join(KINDS)}")
        if len(detail) > _LONGEST or not detail.isprintable():
            raise InvalidValue(f"the {kind} is not up to {_LONGEST} printable characters; give it in one line")
        if kind == "locale" and detail not in ("", *LOCALES):
            raise InvalidValue(f"locale {detail!r} is not known; use {' or '.join(LOCALES)}")
        if kind == "channels" and not set(filter(None, detail.split(","))) <= set(CHANNELS):
            raise InvalidValue(f"channels {detail!r} are not all known; give some of {','.join(CHANNELS)}")
    with connection.transaction():
        for kind, detail in details.items():
            if detail:
                connection.execute(_KEEP_DETAIL, (account, kind, detail))
            else:
                connection.execute("DELETE FROM people.details WHERE account = %s AND kind = %s", (account, kind))


def keep_reference(connection: Connection[Any], *, account: str, reference: str, reference_hash: str) -> None:
    """Keep a raw outside reference under its keyed hash, so that finance can find the payment again."""
    connection.execute(_KEEP_REFERENCE, (reference_hash, account, reference))


def person_of(connection: Connection[Any], *, account: str) -> Person:
    """Return what is kept of the person behind an account; nothing where nothing is, or was erased."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        details = cursor.execute(
            "SELECT kind, detail FROM people.details WHERE account = %s ORDER BY kind", (account,)
        ).fetchall()
        references = cursor.execute(
            "SELECT reference_hash, reference FROM people.outside_references WHERE account = %s ORDER BY kept_at",
            (account,),
        ).fetchall()
    return Person(account, dict(details), dict(references))


def erase_person(connection: Connection[Any], *, account: str, reference_hashes: Collection[str] = ()) -> int:
    """Erase everything that is kept of the person behind an account; return how many rows that was.

    `reference_hashes` are those of the account's top-ups: money that nobody could place at first was kept with its
    reference under no account.
    """
    with connection.transaction():
        details = connection.execute("DELETE FROM people.details WHERE account = %s", (account,)).rowcount
        references = connection.execute(
            "DELETE FROM people.outside_references WHERE account = %s OR reference_hash = ANY (%s)",
            (account, list(reference_hashes)),
        )
        methods = connection.execute("DELETE FROM people.payment_methods WHERE account = %s", (account,))
        return details + references.rowcount + methods.rowcount


_KEEP_DETAIL = """
INSERT INTO people.details (account, kind, detail) VALUES (%s, %s, %s)
ON CONFLICT (account, kind) DO UPDATE SET detail = excluded.detail, kept_at = now()
"""
_KEEP_REFERENCE = """
INSERT INTO people.outside_references (reference_hash, account, reference) VALUES (%s, %s, %s)
ON CONFLICT DO NOTHING
"""
