"""The bytes of Modbus TCP and of the DDSY1352's map, written by hand from the documents.

Every frame is: transaction id (2), protocol 0000 (2), length of the rest (2), unit (1), function (1), data — MODBUS
Messaging on TCP/IP Implementation Guide V1.0b, and MODBUS Application Protocol Specification V1.1b3 §6.3 and §6.12.
Neither the profile nor the simulator's map is used here, so the two cannot share one mistake.
"""

import asyncio
from pathlib import Path

import pytest

from collectors.metrics import CollectorMetrics
from collectors.modbus import Bus
from collectors.profile_library import load_profile
from collectors.simulator.run import simulating
from collectors.sweep import Sweeper
from collectors.switch import Switch
from tests.collectors.builders import NOON, a_site, answer_to, free_port, stub_concentrator

# Function 03, ten words from 0x0000: total, sharp, peak, flat, valley energy, each u32 × 0.01 kWh, high word first.
READ_ENERGY = "03 0000 000a"
# 0x0001_86a3 = 100 003 counts of total energy = 1 000.03 kWh; of it 0x0000_8003 sharp, 0x0001_06a0 flat.
ENERGY = "03 14 0001 86a3 0000 8003 0000 0000 0001 06a0 0000 0000"
# Function 16, two words to 0x0057: [1, 1] opens, [1, 0] closes; the answer repeats address and count.
WRITE_OPEN = "10 0057 0002 04 0001 0001"
WRITE_CLOSE = "10 0057 0002 04 0001 0000"
WRITTEN = "10 0057 0002"
# Function 03, one word at 0x0022: the run state, bit 0 set while the relay is open.
READ_STATE = "03 0022 0001"


async def _exchange(port: int, *frames: str) -> list[str]:
    """Send raw frames over one connection and return the raw answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for frame in frames:
        writer.write(bytes.fromhex(frame))
        header = await asyncio.wait_for(reader.readexactly(6), timeout=5)
        answers.append((header + await reader.readexactly(int.from_bytes(header[4:6], "big"))).hex())
    writer.close()
    return answers


def _hex(text: str) -> str:
    return bytes.fromhex(text).hex()


async def _from_simulator(directory: Path, *frames: str) -> list[str]:
    port = free_port()
    async with simulating(site=a_site(directory, ports=[port]), speed=0.0) as simulator:
        meter = next(iter(simulator.meters.values()))
        meter.total_milliwh = 1_000_039_999
        meter.periods_milliwh = {"sharp": 327_710_000, "peak": 9_999, "flat": 672_320_000, "valley": 0}
        return await _exchange(port, *frames)


def test_the_simulator_answers_its_energy_registers_as_the_map_says(tmp_path: Path) -> None:
    (answer,) = asyncio.run(_from_simulator(tmp_path, "1234 0000 0006 01 03 0000 000a"))
    assert answer == _hex("1234 0000 0017 01" + ENERGY)


def test_the_simulator_opens_and_closes_its_relay_as_the_map_says(tmp_path: Path) -> None:
    answers = asyncio.run(
        _from_simulator(
            tmp_path,
            "0001 0000 000b 01" + WRITE_OPEN,
            "0002 0000 0006 01" + READ_STATE,
            "0003 0000 0006 01 03 000d 0001",
            "0004 0000 000b 01" + WRITE_CLOSE,
            "0005 0000 0006 01" + READ_STATE,
            "0006 0000 000b 01" + WRITE_OPEN,
            "0007 0000 000b 01 10 0057 0002 04 0000 0000",
            "0008 0000 0006 01" + READ_STATE,
        )
    )
    assert answers == [
        _hex("0001 0000 0006 01" + WRITTEN),
        _hex("0002 0000 0005 01 03 02 0001"),
        _hex("0003 0000 0005 01 03 02 0000"),
        _hex("0004 0000 0006 01" + WRITTEN),
        _hex("0005 0000 0005 01 03 02 0000"),
        _hex("0006 0000 0006 01" + WRITTEN),
        _hex("0007 0000 0006 01" + WRITTEN),
        _hex("0008 0000 0005 01 03 02 0000"),
    ]


def test_the_simulator_shows_its_serial_as_bcd(tmp_path: Path) -> None:
    (answer,) = asyncio.run(_from_simulator(tmp_path, "0001 0000 0006 01 03 0043 0003"))
    assert answer == _hex("0001 0000 0009 01 03 06 4000 0000 0001")


@pytest.mark.parametrize(
    ("request_pdu", "exception_pdu"),
    [
        ("03 0000 000b", "83 02"),  # one word beyond the energy block
        ("03 0058 0002", "83 02"),  # beyond the last register
        ("10 0000 0002 04 0000 0000", "90 02"),  # energy is never written
        ("10 0057 0002 04 0002 0000", "90 03"),  # no such control word
        ("04 0000 0002", "84 01"),  # the meter reads by function 03 only
    ],
)
def test_the_simulator_refuses_what_the_meter_has_not(tmp_path: Path, request_pdu: str, exception_pdu: str) -> None:
    body = bytes.fromhex(request_pdu)
    frame = f"0001 0000 {len(body) + 1:04x} 01" + request_pdu
    (answer,) = asyncio.run(_from_simulator(tmp_path, frame))
    assert answer == _hex("0001 0000 0003 01" + exception_pdu)


def test_an_absent_unit_is_answered_as_a_gateway_does(tmp_path: Path) -> None:
    (answer,) = asyncio.run(_from_simulator(tmp_path, "0001 0000 0006 63 03 0000 000a"))
    assert answer == _hex("0001 0000 0003 63 83 0b")


def test_the_collector_asks_for_the_energy_block_in_one_request_and_decodes_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async def energy(request: bytes) -> bytes:
            return answer_to(request, ENERGY)

        async with stub_concentrator(energy) as (port, requests):
            site = a_site(tmp_path, ports=[port])
            bus = Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=1)
            sweeper = Sweeper(
                concentrator=site.concentrators[0], bus=bus, retries=0, metrics=CollectorMetrics(), now=lambda: NOON
            )
            (reading,) = await sweeper.sweep()
            bus.close()
        assert [request[2:].hex() for request in requests] == [_hex("0000 0006 01" + READ_ENERGY)]
        assert reading.register is not None
        assert reading.register.import_milliwh == 1_000_030_000
        assert reading.register.raw == _hex(ENERGY)[4:]
        assert reading.register.read_at == NOON

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("action", "written", "state"), [("open", WRITE_OPEN, "0001"), ("close", WRITE_CLOSE, "0000")]
)
def test_the_collector_switches_by_writing_two_words_and_reads_the_state_back(
    tmp_path: Path, action: str, written: str, state: str
) -> None:
    async def scene() -> None:
        async def relay(request: bytes) -> bytes:
            return answer_to(request, WRITTEN if request[7] == 0x10 else "03 02" + state)

        async with stub_concentrator(relay) as (port, requests):
            bus = Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=1)
            switched = await _switch(bus, tmp_path, action).run()
            bus.close()
        assert [request[2:].hex() for request in requests] == [
            _hex("0000 000b 01" + written),
            _hex("0000 0006 01" + READ_STATE),
        ]
        assert (switched.outcome, switched.readback) == ("confirmed", "open" if action == "open" else "closed")

    asyncio.run(scene())


def _switch(bus: Bus, directory: Path, action: str) -> Switch:
    relay = load_profile("acrel_ddsy1352").relay
    assert relay is not None

    async def never() -> bool:
        return False

    return Switch(
        bus=bus,
        meter=a_site(directory).concentrators[0].meters[0],
        relay=relay,
        action="open" if action == "open" else "close",
        expires_at=NOON.replace(hour=13),
        timeout_s=1.0,
        now=lambda: NOON,
        superseded=never,
    )
