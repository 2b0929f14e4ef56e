"""Before anything starts: is the database as new as its witness says it must be."""

import time
from collections.abc import Mapping

import psycopg
import structlog

from console.connection import NotReachable, witness_of
from ledger.integrity.standing import check_not_older
from ledger.values.environment import Environment

log = structlog.get_logger(__name__)

_PATIENCE_S = 60.0
_PAUSE_S = 0.5


def check_against_witness(environ: Mapping[str, str], *, patience_s: float = _PATIENCE_S) -> None:
    """Refuse to go on with a database older than its witness; waits a while for a database that does not answer.

    Raises OlderThanWitness and Diverged, InvalidValue for a wrong setting, NotReachable, and WitnessFailed: without
    the witness nobody can tell.
    """
    environment = Environment(environ)
    url = environment.text("WATTLEDGER_DATABASE_URL", help_="postgresql://role:password@host/database")
    environment.check()
    witness = witness_of(environ)
    if witness is None:
        log.warning(
            "no witness is set: a restored or cut database would not be noticed", setting="WATTLEDGER_WITNESS"
        )
        return
    deadline = time.monotonic() + patience_s
    while True:
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                check_not_older(connection, witness)
            return
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
            raise NotReachable(
                f"the database is not ready ({str(error).partition(chr(10))[0]}); run `wattledger migrate`"
            ) from error
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise NotReachable(f"the database does not answer: {str(error).strip()}") from error
            log.warning("PostgreSQL is away", error=str(error).strip())
            time.sleep(_PAUSE_S)
