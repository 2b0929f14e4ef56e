"""A year of one account with every kind of event in it, projected and sealed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import Connection

from ledger.domain.account import AccountOpened
from ledger.domain.books import AccountingZoneSet, MonthClosed
from ledger.domain.event import Fact
from ledger.integrity.keys import SealingKey
from ledger.integrity.sealing import Sealer
from ledger.integrity.witness.file import FileWitness
from projections.catalogue import MODELS
from projections.process import connect
from projections.project import project_next, register
from tests.ledger import facts
from tests.projections.builders import Story
from tests.services.postgres import Database

ACCOUNT = "room-1-a"
KEY = "22" * 32
YEAR = 2025
MONTHS = [f"{YEAR}-{number:02}" for number in range(1, 13)]
_KINDS = ("account.", "meter.", "relay.")
_OPENED = datetime(YEAR, 1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Year:
    """Where the year's ledger is, and the sealer's public key."""

    database: Database
    public_key: str
    topics: frozenset[str]


def in_year(fact: Fact, at: datetime) -> Fact:
    """The fact as if it had happened then."""
    changes: dict[str, Any] = {"recorded_at": at}
    for name, back in (("vended_at", 0), ("ended_at", 0), ("started_at", 1), ("occupied_from", 2), ("vacated_at", 1)):
        if getattr(fact, name, None) is not None:
            changes[name] = at - timedelta(hours=back)
    return msgspec.structs.replace(fact, **changes)


def the_year() -> list[Fact]:
    """Every kind of fact that an account can have, in every month, with the books closed behind it."""
    told: list[Fact] = [
        AccountingZoneSet(zone="Asia/Shanghai", recorded_at=_OPENED),
        *(
            AccountOpened(account=name, site="north", currency="CNY", recorded_at=_OPENED)
            for name in (ACCOUNT, "room-2-a", "room-1-b")
        ),
    ]
    kinds = [fact for fact in facts.FACTS if fact.topic.startswith(_KINDS) and not isinstance(fact, AccountOpened)]
    for number, month in enumerate(MONTHS):
        start = datetime(YEAR, number + 1, 2, tzinfo=UTC)
        # Another order each month, and some of them told when their month is closed already.
        turned = kinds[number:] + kinds[:number]
        told += [in_year(fact, start + timedelta(hours=5 * hour)) for hour, fact in enumerate(turned)]
        if number % 3 == 2:
            told.append(MonthClosed(month=month, zone="Asia/Shanghai", operator="ana", recorded_at=start))
            told.append(in_year(turned[0], start))
    return told


@pytest.fixture
def year(database: Database, tmp_path: Path) -> Year:
    told = the_year()
    Story(database.url("wattledger_writer")).tell_each(told)
    with connect(database.url("wattledger_projector"), name="test") as connection:
        register(connection, models=MODELS)
        while project_next(connection, models=MODELS, limit=1_000):
            pass
    seal_all(database, tmp_path)
    return Year(database, SealingKey(KEY).public_key.hex(), frozenset(fact.topic for fact in told))


def seal_all(database: Database, directory: Path) -> None:
    clock = iter(range(0, 1_000_000, 10))
    with psycopg.connect(database.url("wattledger_sealer"), autocommit=True) as connection:
        sealer = Sealer(
            key=SealingKey(KEY),
            witness=FileWitness(directory / "witness" / "seals.jsonl"),
            every_s=2.0,
            clock=lambda: float(next(clock)),
        )
        sealer.begin(connection)
        sealer.turn(connection)
        while sealer.turn(connection):
            pass


@pytest.fixture
def finance(year: Year) -> Iterator[Connection[Any]]:
    with connect(year.database.url("wattledger_finance"), name="test") as connection:
        yield connection
