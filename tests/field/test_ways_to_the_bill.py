"""Other ways from a meter to its bill: by radio, and a meter that moves while its old spool is full."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import psycopg
import pytest
from amqtt.broker import Broker

from collectors.collect import Collector
from collectors.simulator.run import Simulator, simulating
from collectors.site import Site, read_site
from collectors.spool import Spool
from console.embedded.broker import EmbeddedBroker
from console.installing import meter_facts
from ledger.store.application import Ledger
from ledger.usecases.equip import SupplyPoint, equip
from ledger.usecases.supply_life import change_concentrator
from tests.collectors.builders import free_port, settings_for, until
from tests.field.office import Office, booked
from tests.services.postgres import Database

pytestmark = pytest.mark.xdist_group("field")

SERIAL = "990000000001"


def add(office: Office, supply: str, *, concentrator: str, serial: str, opening_milliwh: int) -> None:
    now = datetime.now(UTC)
    point = SupplyPoint(
        supply=supply,
        site="north",
        concentrator=concentrator,
        meter=meter_facts(serial=serial, profile="acrel_ddsy1352", max_power_w=10**9),
        account=f"{supply}-a",
        tariff="flat",
        opening_milliwh=opening_milliwh,
        since=now - timedelta(hours=1),
    )
    with Ledger(url=office.url) as ledger:
        list(equip(ledger, point, now=now))


@asynccontextmanager
async def collecting(site: Site, bootstrap: str, spool: Spool) -> AsyncIterator[Collector]:
    collector = Collector(settings=settings_for(bootstrap), site=site, spool=spool)
    work = asyncio.create_task(collector.run())
    try:
        yield collector
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def site_of(directory: Path, name: str, *, concentrator: str, port: int, meters: tuple[tuple[str, str], ...]) -> Site:
    lines = ["[collector]", f'id = "{name}"', "poll_interval_s = 0.1", f'spool = "{name}.sqlite"']
    lines += ["[[concentrators]]", f'id = "{concentrator}"', 'host = "127.0.0.1"', f"port = {port}"]
    for unit, (serial, supply) in enumerate(meters, start=1):
        lines += ["[[concentrators.meters]]", f'serial = "{serial}"', f"unit = {unit}", f'supply = "{supply}"']
    (directory / f"{name}.toml").write_text("\n".join(lines))
    return read_site(directory / f"{name}.toml")


def is_billed(database: Database, supply: str, milliwh: Callable[[], int]) -> Callable[[], bool]:
    def check() -> bool:
        with psycopg.connect(database.url()) as connection:
            return booked(connection, [supply])[supply] == milliwh()

    return check


def test_a_meter_that_moves_while_its_old_spool_is_full_is_billed_without_gap_or_double(
    tmp_path: Path, office: Office, field_database: Database, field_broker: EmbeddedBroker
) -> None:
    port, away = free_port(), f"127.0.0.1:{free_port()}"
    meters = ((SERIAL, "mover"),)
    first = site_of(tmp_path, "mv-edge-1", concentrator="mv-c1", port=port, meters=meters)
    # Another partition, another collector, the same meter.
    second = site_of(tmp_path, "mv-edge-2", concentrator="mv-c2", port=port, meters=meters)
    old_spool, new_spool = Spool(first.spool), Spool(second.spool)

    def used(simulator: Simulator) -> int:
        meter = simulator.meters[SERIAL]
        return meter.register_counts * 10_000 - meter.opening_milliwh

    async def scene() -> None:
        async with simulating(site=first, speed=36_000) as simulator:
            opening_milliwh = simulator.meters[SERIAL].opening_milliwh
            await asyncio.to_thread(
                add, office, "mover", concentrator="mv-c1", serial=SERIAL, opening_milliwh=opening_milliwh
            )
            async with collecting(first, away, old_spool):
                await until(lambda: old_spool.last_sequence("mv-c1") >= 10)
            assert old_spool.sweeps_kept() >= 10
            with Ledger(url=office.url) as ledger:
                change_concentrator(ledger, supply="mover", concentrator="mv-c2", now=datetime.now(UTC))
            async with collecting(second, field_broker.bootstrap, new_spool):
                await until(lambda: is_billed(field_database, "mover", lambda: 0)() is False)
                # What the old one still has comes after newer readings of the same meter.
                async with collecting(emptied(first), field_broker.bootstrap, old_spool):
                    await until(lambda: old_spool.sweeps_kept() == 0)
                simulator.freeze()
                await until(is_billed(field_database, "mover", lambda: used(simulator)))
                assert used(simulator) > 0

    def emptied(site: Site) -> Site:
        return site_of(tmp_path, "mv-edge-1", concentrator="mv-c1", port=port, meters=(("990000000009", "nobody"),))

    asyncio.run(scene())
    old_spool.close()
    new_spool.close()


def test_a_meter_heard_by_radio_is_billed_by_what_it_said(
    tmp_path: Path, office: Office, field_database: Database, field_broker: EmbeddedBroker
) -> None:
    port = free_port()
    (tmp_path / "acme.toml").write_text(
        """
name = "acme-lora"
source = "made up for this test"
port = 2
length = 5
[total]
offset = 1
bytes = 4
milliwh_per_count = 1000000
"""
    )
    lines = ["[mqtt]", 'host = "127.0.0.1"', f"port = {port}", 'topic = "up/#"', 'concentrator = "radio-9"']
    lines += ["[[meters]]", 'dev_eui = "70b3d57ed0051234"', 'serial = "radio-meter"', 'codec = "acme.toml"']
    (tmp_path / "mqtt.toml").write_text("\n".join(lines))
    bus = site_of(tmp_path, "radio-edge", concentrator="rd-c1", port=free_port(), meters=(("990000000008", "none"),))
    text = (tmp_path / "radio-edge.toml").read_text().replace("[collector]", '[collector]\nmqtt = "mqtt.toml"')
    (tmp_path / "radio-edge.toml").write_text(text)
    spool = Spool(bus.spool)
    add(office, "radio", concentrator="radio-9", serial="radio-meter", opening_milliwh=5_000_000)

    def uplink(kwh: int) -> bytes:
        data = base64.b64encode(b"\x01" + kwh.to_bytes(4, "big")).decode()
        at = datetime.now(UTC).isoformat()
        return json.dumps(
            {"deviceInfo": {"devEui": "70B3D57ED0051234"}, "time": at, "fPort": 2, "data": data}
        ).encode()

    async def scene() -> None:
        broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        await broker.start()
        try:
            site = read_site(tmp_path / "radio-edge.toml")
            async with (
                collecting(site, field_broker.bootstrap, spool),
                aiomqtt.Client("127.0.0.1", port) as client,
            ):
                while spool.last_sequence("radio-9") < 1:
                    await client.publish("up/1", uplink(7), qos=1)
                    await asyncio.sleep(0.2)
                # Two uplinks of one meter in one sweep.
                await client.publish("up/1", uplink(9), qos=1)
                await client.publish("up/1", uplink(12), qos=1)
                await until(is_billed(field_database, "radio", lambda: 7_000_000))
        finally:
            await broker.shutdown()

    asyncio.run(scene())
    spool.close()
