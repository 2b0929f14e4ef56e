"""A campaign: an estate, its meters' truth, a broker of its own, and the real worker between them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.topics import EMBEDDED_PARTITIONS, TopicLayout, create_topics
from ledger.store.application import Ledger
from tests.estate import build_estate
from tests.services.broker import KafkaBroker
from tests.services.postgres import Database
from tests.streams.books import check_books, meter_histories
from tests.streams.collector import Collector
from tests.streams.direct import fault_free
from tests.streams.truth import Truth, make_truth
from tests.streams.twins import TRUTH, with_estate
from tests.streams.workers import WorkerProcess

CONCENTRATORS = 3
METERS_EACH = 2
SWEEPS = 60


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a fault is thrown at, and how to see that it did no harm."""

    database: Database
    twin: Database
    broker: KafkaBroker
    directory: Path
    truth: Truth
    supplies: list[str]

    @property
    def url(self) -> str:
        return self.database.url("wattledger_writer")

    def worker(
        self, name: str = "w1", *, sabotage: tuple[str, ...] = (), url: str = "", **settings: str
    ) -> WorkerProcess:
        return WorkerProcess(
            self.directory,
            url=url or self.url,
            bootstrap=self.broker.bootstrap,
            name=name,
            sabotage=sabotage,
            **settings,
        )

    def collector(self, *, made: int | None = None) -> Collector:
        return Collector(self.truth, bootstrap=self.broker.bootstrap, made=made)

    def create_topics(self) -> None:
        create_topics(bootstrap=self.broker.bootstrap, layout=TopicLayout(partitions=EMBEDDED_PARTITIONS))

    def check(self) -> None:
        """Compare with the registers to the last unit, and with a run in which nothing went wrong (I2)."""
        check_books(self.database.url(), self.truth, supplies=self.supplies)
        fault_free(self.twin, self.truth)
        assert meter_histories(self.database.url(), self.supplies) == meter_histories(self.twin.url(), self.supplies)


@pytest.fixture
def campaign(database: Database, twin_database: Database, own_broker: KafkaBroker, tmp_path: Path) -> Campaign:
    return make_campaign(database, twin_database, own_broker, tmp_path)


def make_campaign(
    database: Database, twin: Database, broker: KafkaBroker, directory: Path, *, sweeps: int = SWEEPS
) -> Campaign:
    meters = {
        f"c{number}": [f"c{number}-{meter}-m" for meter in range(1, METERS_EACH + 1)]
        for number in range(1, CONCENTRATORS + 1)
    }
    truth = make_truth(meters, sweeps=sweeps)
    supplies: list[str] = []
    for one in (database, twin):
        ledger = Ledger(url=one.url("wattledger_writer"))
        estate = build_estate(ledger, concentrators=CONCENTRATORS, meters_each=METERS_EACH, opened_at=truth.opened_at)
        ledger.close()
        supplies = list(estate.supplies)
    campaign = Campaign(database, twin, broker, directory, truth, supplies)
    campaign.create_topics()
    return campaign


@pytest.fixture
def twin_database(postgres_server: object, migrated_template: str) -> Iterator[Database]:
    from tests.services.postgres import _fresh_database

    yield from _fresh_database(postgres_server, template=migrated_template)  # type: ignore[arg-type]


@pytest.fixture
def estate(database: Database) -> Database:
    """The database with the estate of the truth."""
    return with_estate(database)


@pytest.fixture
def quiet(twin_database: Database) -> Database:
    """Another database in which the truth was billed with nothing going wrong."""
    fault_free(with_estate(twin_database), TRUTH)
    return twin_database
