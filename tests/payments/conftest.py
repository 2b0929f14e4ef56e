"""An API that a payment provider delivers to over HTTP, and the process that books it, in a database per module."""

from collections.abc import Iterator

import psycopg
import pytest

from console.api.services import Services
from console.embedded.postgres import EmbeddedPostgres
from console.payments.receiving import Receiver
from ledger.store.application import Ledger
from ledger.usecases.autopay import end_rhythm
from projections.checkpoint import checkpoint
from tests.ledger.till import Till
from tests.payments.autopay import EARLY, Desk, opened
from tests.payments.shop import ENVIRON, Shop
from tests.services.postgres import _fresh_database
from tests.services.serving import served


@pytest.fixture(scope="module")
def shop(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[Shop]:
    for database in _fresh_database(postgres_server, template=migrated_template):
        services = Services(url=database.url("wattledger_api"), receiver=Receiver.from_environment(ENVIRON))
        with (
            served(services, url=database.url("wattledger_api")) as address,
            Ledger(url=database.url("wattledger_writer"), checkpoint=checkpoint) as writing,
            Ledger(url=database.url("wattledger_payments"), checkpoint=checkpoint) as ledger,
            psycopg.connect(database.url("wattledger_payments"), autocommit=True) as worker,
        ):
            yield Shop(address, database, Till(writing), worker, ledger)


@pytest.fixture(scope="module")
def at_the_sandbox(shop: Shop) -> Iterator[Desk]:
    with opened(shop) as desk:
        yield desk


@pytest.fixture
def desk(at_the_sandbox: Desk) -> Iterator[Desk]:
    """Each test leaves no rhythm behind that would be due in another's turns."""
    at_the_sandbox.now = EARLY
    at_the_sandbox.payments = at_the_sandbox.process()
    yield at_the_sandbox
    for account in list(at_the_sandbox.payments.rhythms.known):
        for rhythm in ("schedule", "threshold"):
            end_rhythm(
                at_the_sandbox.shop.till.ledger, by=at_the_sandbox.saying(account), rhythm=rhythm, reason="over"
            )
    at_the_sandbox.shop.worker.execute(
        "UPDATE payments.charges SET state = 'dropped' WHERE state IN ('waiting', 'asking', 'pending', 'unknown')"
    )
