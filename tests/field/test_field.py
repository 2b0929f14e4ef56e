"""The campaign: WATTLEDGER_FIELD_RUNS seeds (a few, unless said) from WATTLEDGER_FIELD_SEED on; `make test-field`."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from collectors.frames import crc16
from console.embedded.broker import EmbeddedBroker
from tests.field.office import Office
from tests.field.rtu_proxy import RtuProxy
from tests.field.run import FieldRun
from tests.services.postgres import Database

RUNS = int(os.environ.get("WATTLEDGER_FIELD_RUNS", "6"))
FIRST = int(os.environ.get("WATTLEDGER_FIELD_SEED", "1"))

_harm: Counter[str] = Counter()
_WRITE = bytes.fromhex("02 10 0057 0002 04 0001 0001")


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


def test_only_a_frame_that_a_meter_would_obey_is_a_write() -> None:
    """Two runs were red for writes to unit 0, which no collector has: Modbus TCP on the port of an RTU line."""
    assert RtuProxy.written(_WRITE + crc16(_WRITE)) == (2, 0x0057, bytes.fromhex("0001 0001"))
    assert RtuProxy.written(_WRITE + b"\0\0") is None

    async def scene() -> list[tuple[int, int, bytes]]:
        request = bytes.fromhex("0001 0000 0006 01 03 0000 000a")
        passed_on = asyncio.get_running_loop().create_future()

        async def meters(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            passed_on.set_result(await reader.read(len(request)))
            writer.close()

        async with await asyncio.start_server(meters, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            proxy = RtuProxy(target_port=port, chance=random.Random(1), harms=[], rate=0.0)
            await proxy.start()
            _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(request)
            assert request.startswith(await asyncio.wait_for(passed_on, 5))
            writer.close()
            await proxy.stop()
        return proxy.writes

    assert asyncio.run(scene()) == []
