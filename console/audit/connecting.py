"""The auditor's connection, for commands."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg

from console.connection import NotReachable, database_url


@contextmanager
def auditor_connection(
    environ: Mapping[str, str], *, role: str = "wattledger_auditor"
) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """Connect as the auditor, to read; raises NotReachable where the database does not answer or refuses."""
    try:
        with psycopg.connect(database_url(environ, role=role), autocommit=True, connect_timeout=5) as connection:
            yield connection
    except psycopg.Error as error:
        raise NotReachable(f"the database refused or does not answer: {str(error).strip()}") from error
