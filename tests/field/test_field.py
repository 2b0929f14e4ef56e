"""The campaign: WATTLEDGER_FIELD_RUNS seeds (a few, unless said) from WATTLEDGER_FIELD_SEED on; `make test-field`."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from console.embedded.broker import EmbeddedBroker
from tests.field.office import Office
from tests.field.run import FieldRun
from tests.services.postgres import Database

RUNS = int(os.environ.get("WATTLEDGER_FIELD_RUNS", "6"))
FIRST = int(os.environ.get("WATTLEDGER_FIELD_SEED", "1"))

_harm: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _figures() -> Iterator[None]:
    yield
    print(f"\nharm done: {dict(sorted(_harm.items()))}")  # noqa: T201 - the campaign's figures


@pytest.mark.xdist_group("field")
@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_whatever_the_lines_and_the_machine_do_every_watt_hour_is_billed_once_and_no_bad_order_obeyed(
    seed: int, office: Office, field_database: Database, field_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    with psycopg.connect(field_database.url(), autocommit=True) as connection:
        run = FieldRun(
            seed=seed, directory=tmp_path, office=office, connection=connection, broker_port=field_broker.port
        )
        _harm.update(asyncio.run(run.play()))
