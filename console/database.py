"""The database from its owner's side: migrations, the roles' passwords, and the roles' addresses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from console.errors import ConsoleError
from ledger.values.environment import Environment
from migrations import apply

# Every role of ours, and the setting that holds its password.
ROLE_PASSWORDS = {
    "wattledger_writer": "WATTLEDGER_WRITER_PASSWORD",
    "wattledger_control": "WATTLEDGER_CONTROL_PASSWORD",
    "wattledger_calendar": "WATTLEDGER_CALENDAR_PASSWORD",
    "wattledger_projector": "WATTLEDGER_PROJECTOR_PASSWORD",
    "wattledger_sealer": "WATTLEDGER_SEALER_PASSWORD",
    "wattledger_finance": "WATTLEDGER_FINANCE_PASSWORD",
    "wattledger_auditor": "WATTLEDGER_AUDITOR_PASSWORD",
    "wattledger_api": "WATTLEDGER_API_PASSWORD",
    "wattledger_people": "WATTLEDGER_PEOPLE_PASSWORD",
    "wattledger_payments": "WATTLEDGER_PAYMENTS_PASSWORD",
    "wattledger_notifier": "WATTLEDGER_NOTIFIER_PASSWORD",
}


class DatabaseFailed(ConsoleError):
    """The database could not be reached or changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateSettings:
    """What `wattledger migrate` needs: the owner's address, and the passwords to set (role to password)."""

    database_url: str = field(repr=False)
    passwords: Mapping[str, str] = field(repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "MigrateSettings":
        """Read the settings; raises InvalidValue naming everything that is wrong."""
        environment = Environment(environ)
        url = environment.text("WATTLEDGER_DATABASE_URL", help_="postgresql://owner:password@host/database")
        environment.check()
        return cls(database_url=url, passwords=passwords_in(environ))


def passwords_in(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the passwords that are set, by role."""
    return {role: environ[name] for role, name in ROLE_PASSWORDS.items() if environ.get(name)}


def migrate_database(*, url: str, passwords: Mapping[str, str]) -> list[str]:
    """Apply what is missing, then set the given passwords; returns the names of what was applied.

    Raises DatabaseFailed when the database cannot be reached or refuses a statement.
    """
    try:
        names = apply(url=url)
        with psycopg.connect(url, autocommit=True) as connection:
            for role, password in passwords.items():
                # Hashed here, so that the server's log never shows it.
                hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
                command = sql.SQL("ALTER ROLE {} PASSWORD {}")
                connection.execute(command.format(sql.Identifier(role), sql.Literal(hashed.decode())))
    except psycopg.Error as error:
        raise DatabaseFailed(f"the database cannot be migrated: {error}") from error
    return names


def role_url(owner_url: str, *, role: str, password: str | None) -> str:
    """Return the address of the owner's database for another role."""
    parts = urlsplit(owner_url)
    user = role if password is None else f"{role}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}"))
