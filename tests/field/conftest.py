"""One ledger, one broker and one office for all runs of a module."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.embedded.broker import EmbeddedBroker
from console.topics import EMBEDDED_PARTITIONS, TopicLayout, create_topics
from ledger.store.application import Ledger
from ledger.usecases.sites import change_site_settings
from ledger.usecases.tariffs import publish_tariff
from tests.estate import FLAT_TARIFF, LONG_AGO
from tests.field.office import Office
from tests.services.postgres import Database, _fresh_database


@pytest.fixture(scope="module")
def field_database(postgres_server: object, migrated_template: str) -> Iterator[Database]:
    yield from _fresh_database(postgres_server, template=migrated_template)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def field_broker(service_directory: Path) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(directory=service_directory / "field-broker") as broker:
        create_topics(bootstrap=broker.bootstrap, layout=TopicLayout(partitions=EMBEDDED_PARTITIONS))
        yield broker


@pytest.fixture(scope="module")
def office(field_database: Database, field_broker: EmbeddedBroker) -> Iterator[Office]:
    url = field_database.url("wattledger_writer")
    ledger, now = Ledger(url=url), datetime.now(UTC)
    change_site_settings(ledger, site="north", reconnection="automatic", effective_from=LONG_AGO, now=now)
    publish_tariff(ledger, text=FLAT_TARIFF, effective_from=LONG_AGO - timedelta(days=1), note="test", now=now)
    ledger.close()
    with Office(url, field_broker.bootstrap) as office:
        yield office
    assert office.failure is None
