"""Where the ledger and the broker are, for commands: the environment, or the embedded stack that runs here."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import psycopg
from eventsourcing.persistence import PersistenceError

from console.database import role_url
from console.errors import ConsoleError
from ledger.integrity.standing import check_not_older
from ledger.integrity.witness.opening import open_witness
from ledger.integrity.witness.records import Witness
from ledger.store.application import Ledger
from projections.checkpoint import checkpoint

_FILE = "running.json"


class NotReachable(ConsoleError):
    """The ledger or the broker is not known, or does not answer."""


@dataclass(frozen=True, slots=True)
class Running:
    """How to reach an embedded stack while it runs; there is no secret in it, the socket is this machine's own."""

    owner_url: str
    bootstrap: str
    witness: str = ""

    def write(self, directory: Path) -> None:
        """Leave word under the stack's directory."""
        (directory / _FILE).write_text(json.dumps(asdict(self)) + "\n")


def forget_running(directory: Path) -> None:
    """Take the word back: the stack stops."""
    (directory / _FILE).unlink(missing_ok=True)


def database_url(environ: Mapping[str, str], *, role: str) -> str:
    """Return the ledger's address: WATTLEDGER_DATABASE_URL, or the running embedded stack's for this role."""
    url = environ.get("WATTLEDGER_DATABASE_URL")
    if url:
        return url
    return role_url(_running(environ).owner_url, role=role, password=None)


def bootstrap_servers(environ: Mapping[str, str]) -> str:
    """Return the broker's address: WATTLEDGER_KAFKA_BOOTSTRAP, or the running embedded stack's."""
    return environ.get("WATTLEDGER_KAFKA_BOOTSTRAP") or _running(environ).bootstrap


AnyLedger = TypeVar("AnyLedger", bound=Ledger)


@contextmanager
def opened_ledger(environ: Mapping[str, str]) -> Iterator[Ledger]:
    """Open the ledger for use cases; raises NotReachable where it does not answer."""
    with opened_as(environ, Ledger) as ledger:
        yield ledger


@contextmanager
def opened_as(environ: Mapping[str, str], kind: type[AnyLedger]) -> Iterator[AnyLedger]:
    """Open a ledger of another kind, such as one whose appends wait; raises NotReachable where it does not answer."""
    url = database_url(environ, role="wattledger_writer")
    try:
        # The library's pool would wait for half a minute before it says so.
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            witness = witness_of(environ)
            if witness is not None:
                check_not_older(connection, witness)
    except psycopg.Error as error:
        raise NotReachable(f"the ledger does not answer: {str(error).strip()}") from error
    ledger = kind(url=url, checkpoint=checkpoint)
    try:
        yield ledger
    except PersistenceError as error:
        raise NotReachable(f"the ledger refused or does not answer: {str(error).strip()}") from error
    finally:
        ledger.close()


@contextmanager
def finance_connection(environ: Mapping[str, str]) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """Connect as finance, to read; raises NotReachable where the database does not answer or refuses."""
    with _connection(environ, role="wattledger_finance") as connection:
        yield connection


@contextmanager
def writer_connection(environ: Mapping[str, str]) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """Connect as the writer, for what lies beside the events; raises NotReachable like the other."""
    with _connection(environ, role="wattledger_writer") as connection:
        yield connection


@contextmanager
def _connection(environ: Mapping[str, str], *, role: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    try:
        with psycopg.connect(database_url(environ, role=role), autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        raise NotReachable(f"the database refused or does not answer: {str(error).strip()}") from error


@contextmanager
def people_connection(environ: Mapping[str, str]) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """Connect to the store of personal data; raises NotReachable where the database does not answer or refuses."""
    url = environ.get("WATTLEDGER_PEOPLE_DATABASE_URL") or database_url(environ, role="wattledger_people")
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        raise NotReachable(f"personal data refused or does not answer: {str(error).strip()}") from error


def running_witness(environ: Mapping[str, str]) -> str:
    """Return where the running embedded stack's witness is; empty where the ledger is another, or none runs."""
    running = None if environ.get("WATTLEDGER_DATABASE_URL") else _found_running(environ)
    return "" if running is None else running.witness


def witness_of(environ: Mapping[str, str]) -> Witness | None:
    """Return the witness of WATTLEDGER_WITNESS, or the running embedded stack's; None where there is neither."""
    setting = environ.get("WATTLEDGER_WITNESS") or running_witness(environ)
    return open_witness(setting) if setting else None


def _found_running(environ: Mapping[str, str]) -> Running | None:
    directory = Path(environ.get("WATTLEDGER_DIRECTORY") or ".wattledger").absolute()
    for place in (directory, directory / "demo"):
        if (place / _FILE).exists():
            return Running(**json.loads((place / _FILE).read_text()))
    return None


def _running(environ: Mapping[str, str]) -> Running:
    running = _found_running(environ)
    if running is not None:
        return running
    raise NotReachable(
        "no ledger is known: set WATTLEDGER_DATABASE_URL (and WATTLEDGER_KAFKA_BOOTSTRAP for imports), or start one"
        " here with `wattledger up` or `wattledger demo`"
    )
