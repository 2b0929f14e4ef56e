import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.topics import TopicLayout, create_topics
from ledger.store.application import Ledger
from ledger.usecases.sites import change_site_settings
from ledger.usecases.tariffs import publish_tariff
from tests.acceptance.office import SINCE, TARIFF, Office
from tests.services.broker import KafkaBroker
from tests.services.postgres import Database
from tests.streams.workers import WorkerProcess


@pytest.fixture
def closed_office(database: Database, own_broker: KafkaBroker) -> Iterator[Office]:
    """An office where nobody prices what comes in."""
    ledger = Ledger(url=database.url("wattledger_writer"))
    now = datetime.now(UTC)
    change_site_settings(
        ledger, site="files", reconnection="confirm", warning_balance_micros=0, effective_from=SINCE, now=now
    )
    publish_tariff(ledger, text=TARIFF, effective_from=SINCE, note="test", now=now)
    create_topics(bootstrap=own_broker.bootstrap, layout=TopicLayout(partitions=4))
    environment = dict(
        os.environ,
        WATTLEDGER_DATABASE_URL=database.url("wattledger_writer"),
        WATTLEDGER_KAFKA_BOOTSTRAP=own_broker.bootstrap,
    )
    yield Office(ledger, database, environment)
    ledger.close()


@pytest.fixture
def office(closed_office: Office, own_broker: KafkaBroker, tmp_path: Path) -> Iterator[Office]:
    url = closed_office.database.url("wattledger_writer")
    with WorkerProcess(tmp_path, url=url, bootstrap=own_broker.bootstrap):
        yield closed_office
