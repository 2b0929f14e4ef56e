"""All DDL, as ordered SQL files run by yoyo-migrations (roles and grants included)."""

import logging
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from yoyo import get_backend, read_migrations

SQL = Path(__file__).parent / "sql"


def apply(*, url: str) -> list[str]:
    """Bring the database at this PostgreSQL URL up to date and return the names of what was applied.

    The URL must connect as the owner of the database, who may create roles. Safe to run again and from several
    places at once (yoyo takes a lock). Raises yoyo's or psycopg's error where a statement fails; each file is one
    transaction, so a failed file leaves nothing behind.
    """
    logging.getLogger("yoyo").setLevel(logging.WARNING)
    parts = urlsplit(url)
    backend = get_backend(urlunsplit(parts._replace(scheme="postgresql+psycopg")))
    try:
        migrations = read_migrations(str(SQL))
        with backend.lock():
            pending = backend.to_apply(migrations)
            names = [migration.id for migration in pending]
            backend.apply_migrations(pending)
    finally:
        backend.connection.close()
    return names
