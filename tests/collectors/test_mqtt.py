"""Meters heard over radio: uplinks of two network servers, through a real MQTT broker, into the spool."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from amqtt.broker import Broker
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.collect import Collector
from collectors.errors import BadFile
from collectors.metrics import CollectorMetrics
from collectors.mqtt import MqttSweeper, read_mqtt
from collectors.site import read_site
from collectors.spool import Spool
from ledger import wire
from tests.collectors.builders import free_port, settings_for, site_text, until
from tests.collectors.fuzzing import EXAMPLES

_NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_CODEC = """
name = "acme-lora"
source = "made up for this test"
port = 2
length = 5
[total]
offset = 1
bytes = 4
milliwh_per_count = 1000000
not_available = "ffffffff"
"""


def _payload(kwh: int) -> str:
    return base64.b64encode(b"\x01" + kwh.to_bytes(4, "big")).decode()


def _chirpstack(kwh: int, *, eui: str = "70B3D57ED0051234", minute: int = 0, port: int = 2) -> bytes:
    at = (_NOON + timedelta(minutes=minute)).isoformat()
    return json.dumps({"deviceInfo": {"devEui": eui}, "time": at, "fPort": port, "data": _payload(kwh)}).encode()


def _things_stack(kwh: int, *, eui: str = "70b3d57ed0059999", minute: int = 0) -> bytes:
    at = (_NOON + timedelta(minutes=minute)).isoformat()
    uplink = {"f_port": 2, "frm_payload": _payload(kwh), "received_at": at}
    return json.dumps({"end_device_ids": {"dev_eui": eui}, "uplink_message": uplink}).encode()


def _written(directory: Path, *, port: int = 1883) -> Path:
    (directory / "acme.toml").write_text(_CODEC)
    lines = ["[mqtt]", 'host = "127.0.0.1"', f"port = {port}", 'topic = "up/#"', 'concentrator = "radio-1"']
    for eui, serial in (("70b3d57ed0051234", "m1"), ("70b3d57ed0059999", "m2")):
        lines += ["[[meters]]", f'dev_eui = "{eui}"', f'serial = "{serial}"', 'codec = "acme.toml"']
    (directory / "mqtt.toml").write_text("\n".join(lines))
    return directory / "mqtt.toml"


def _sweeper(directory: Path) -> MqttSweeper:
    return MqttSweeper(site=read_mqtt(_written(directory)), metrics=CollectorMetrics())


def _taken(sweeper: MqttSweeper, *messages: bytes) -> list[tuple[str, int, datetime]]:
    for message in messages:
        sweeper.take(message)
    readings = [reading.register for reading in asyncio.run(sweeper.sweep())]
    return [(r.meter, r.import_milliwh, r.read_at) for r in readings if r is not None]


def _passed_over(sweeper: MqttSweeper, reason: str) -> float:
    labels = {"concentrator": "radio-1", "reason": reason}
    return sweeper.metrics.registry.get_sample_value("wattledger_read_failures_total", labels) or 0.0


def test_uplinks_of_both_network_servers_become_the_same_kind_of_reading(tmp_path: Path) -> None:
    assert _taken(_sweeper(tmp_path), _chirpstack(12), _things_stack(345)) == [
        ("m1", 12_000_000, _NOON),
        ("m2", 345_000_000, _NOON),
    ]


def test_a_codec_and_the_bytes_as_heard_go_with_the_reading(tmp_path: Path) -> None:
    sweeper = _sweeper(tmp_path)
    sweeper.take(_chirpstack(12))
    (reading,) = asyncio.run(sweeper.sweep())
    assert reading.register is not None
    assert (reading.register.profile, reading.register.raw) == ("acme-lora", "010000000c")


def test_what_is_no_reading_of_a_meter_here_is_counted_and_never_guessed(tmp_path: Path) -> None:
    sweeper = _sweeper(tmp_path)
    short = json.loads(_chirpstack(1)) | {"data": "AQI="}
    broken = json.loads(_chirpstack(1)) | {"data": "%%%"}
    zoneless = json.loads(_chirpstack(1)) | {"time": "2026-11-22T12:00:00"}
    wrong = (b"", b"{}", b"[1]", b"\xff\xfe", b'{"deviceInfo": 5, "data": ""}')
    messages = [_chirpstack(0xFFFF_FFFF), _chirpstack(1, eui="ff"), _chirpstack(1, port=3)]
    messages += [json.dumps(each).encode() for each in (short, broken, zoneless)]
    assert _taken(sweeper, *messages, *wrong) == []
    assert _passed_over(sweeper, "decode") == 8
    assert _passed_over(sweeper, "unknown-device") == 1


def test_an_uplink_heard_twice_or_late_is_not_read_again(tmp_path: Path) -> None:
    sweeper = _sweeper(tmp_path)
    taken = _taken(sweeper, _chirpstack(5, minute=5), _chirpstack(5, minute=5), _chirpstack(4, minute=1))
    assert [milliwh for _, milliwh, _ in taken] == [5_000_000]
    assert _passed_over(sweeper, "repeated") == 2


_SWEEPER: list[MqttSweeper] = []


@pytest.fixture(scope="module", autouse=True)
def _one_sweeper(tmp_path_factory: pytest.TempPathFactory) -> None:
    _SWEEPER.append(_sweeper(tmp_path_factory.mktemp("mqtt")))


_KEYS = (
    "deviceInfo",
    "devEui",
    "data",
    "time",
    "fPort",
    "end_device_ids",
    "dev_eui",
    "uplink_message",
    "frm_payload",
)
# Few leaves: whatever goes wrong goes wrong near the top, where the keys are asked for.
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=12,
)
_uplink = st.fixed_dictionaries({}, optional=dict.fromkeys(_KEYS, _json)) | _json


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=300) | _uplink.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_over_mqtt_nothing_fails_and_no_reading_comes_of_it(message: bytes) -> None:
    _SWEEPER[0].take(message)
    assert asyncio.run(_SWEEPER[0].sweep()) == []


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=20), st.integers(0, 255))
def test_whatever_payload_a_meter_sends_a_reading_says_what_its_bytes_say(payload: bytes, port: int) -> None:
    eui = "70b3d57ed0051234"
    fields: dict[str, Any] = {"deviceInfo": {"devEui": eui}, "time": _NOON.isoformat(), "fPort": port}
    _SWEEPER[0]._newest.clear()
    _SWEEPER[0].take(json.dumps(fields | {"data": base64.b64encode(payload).decode()}).encode())
    readings = [reading.register for reading in asyncio.run(_SWEEPER[0].sweep())]
    fits = port == 2 and len(payload) == 5 and payload[1:] != b"\xff\xff\xff\xff"
    assert [r.import_milliwh for r in readings if r is not None] == (
        [int.from_bytes(payload[1:], "big") * 1_000_000] if fits else []
    )


def test_a_wrong_codec_is_told_with_its_place(tmp_path: Path) -> None:
    path = _written(tmp_path)
    (tmp_path / "acme.toml").write_text(_CODEC.replace("offset = 1", "offset = 3"))
    with pytest.raises(BadFile, match="lie beyond the payload's 5"):
        read_mqtt(path)


def test_uplinks_go_through_a_real_broker_into_the_spool(tmp_path: Path) -> None:
    port = free_port()
    _written(tmp_path, port=port)
    text = site_text(ports=[free_port()]).replace("[collector]", '[collector]\nmqtt = "mqtt.toml"')
    (tmp_path / "site.toml").write_text(text)

    async def scene() -> None:
        config = {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
        broker = Broker(config)
        await broker.start()
        spool = Spool(tmp_path / "spool")
        site = read_site(tmp_path / "site.toml")
        collector = Collector(settings=settings_for(f"127.0.0.1:{free_port()}"), site=site, spool=spool)
        work = asyncio.create_task(collector.run())
        try:
            async with aiomqtt.Client("127.0.0.1", port) as client:
                minute = 0
                while spool.last_sequence("radio-1") < 2:
                    minute += 1
                    assert minute < 300
                    await client.publish("up/70b3", _chirpstack(minute, minute=minute), qos=1)
                    await asyncio.sleep(0.1)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await broker.shutdown()
        await until(lambda: True)
        sweeps = [wire.decode_meter_message(kept.message) for kept in spool.after("radio-1", 0, limit=100)]
        readings = [r.register for sweep in sweeps if isinstance(sweep, wire.Sweep) for r in sweep.readings]
        values = [r.import_milliwh for r in readings if r is not None and r.meter == "m1"]
        assert values == sorted(set(values))
        assert len(values) > 2
        spool.close()

    asyncio.run(scene())
