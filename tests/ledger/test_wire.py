"""Messages on Kafka: their bytes are a contract, and no bytes whatever end the reader."""

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger import wire
from ledger.wire import (
    Heartbeat,
    IntervalReading,
    Reading,
    RegisterReading,
    RelayCommand,
    RelayResult,
    Sweep,
    SweepAck,
    Tick,
    WireError,
    decode_ack,
    decode_command,
    decode_edge_message,
    decode_meter_message,
    decode_result,
    encode,
)

DECODERS = [decode_meter_message, decode_ack, decode_command, decode_result, decode_edge_message]

SWEEP = Sweep(
    concentrator="c1",
    collector="edge-1",
    sequence=17,
    readings=[
        Reading(
            register=RegisterReading(
                meter="m1",
                read_at=datetime(2026, 11, 22, 18, 0, 0, 250000, tzinfo=UTC),
                import_milliwh=123450000,
                periods={"peak": 100000000, "valley": 23450000},
                demand_w=2100,
                profile="acrel_ddsy1352",
                raw="0000 3039",
            )
        ),
        Reading(
            interval=IntervalReading(
                meter="m2",
                start=datetime(2026, 11, 22, 17, 30, tzinfo=UTC),
                end=datetime(2026, 11, 22, 18, 0, tzinfo=UTC),
                import_milliwh=250000,
                apparent_millivah=270000,
                supersedes=UUID("6f2b0f4e-1d5c-5c1b-9b43-7f4d8a0c2e11"),
                quality="estimated",
                profile="nem12",
                raw="E1=0.25 A",
            )
        ),
    ],
)
SWEEP_BYTES = (
    b'{"kind":"sweep","schema":1,"concentrator":"c1","collector":"edge-1","sequence":17,"readings":['
    b'{"register":{"meter":"m1","read_at":"2026-11-22T18:00:00.250000Z","import_milliwh":123450000,'
    b'"periods":{"peak":100000000,"valley":23450000},"demand_w":2100,"profile":"acrel_ddsy1352","raw":"0000 3039"}},'
    b'{"interval":{"meter":"m2","start":"2026-11-22T17:30:00Z","end":"2026-11-22T18:00:00Z","import_milliwh":250000,'
    b'"apparent_millivah":270000,"supersedes":"6f2b0f4e-1d5c-5c1b-9b43-7f4d8a0c2e11","quality":"estimated","profile":"nem12",'
    b'"raw":"E1=0.25 A"}}]}'
)
TICK = Tick(concentrator="c1", local_date=date(2026, 11, 22))
TICK_BYTES = b'{"kind":"tick","schema":1,"concentrator":"c1","local_date":"2026-11-22"}'
ACK = SweepAck(concentrator="c1", collector="edge-1", sequence=17)
ACK_BYTES = b'{"schema":1,"concentrator":"c1","collector":"edge-1","sequence":17}'
COMMAND = RelayCommand(
    order=UUID("00000000-0000-0000-0000-000000000007"),
    sequence=3,
    concentrator="c1",
    supply="room-1",
    meter="m1",
    action="open",
    reason="credit",
    ledger_position=42,
    issued_at=datetime(2026, 11, 22, 18, 0, tzinfo=UTC),
    expires_at=datetime(2026, 11, 22, 18, 5, tzinfo=UTC),
    signature="ab",
)
COMMAND_BYTES = (
    b'{"schema":1,"order":"00000000-0000-0000-0000-000000000007","sequence":3,"concentrator":"c1","supply":"room-1",'
    b'"meter":"m1","action":"open","reason":"credit","ledger_position":42,"issued_at":"2026-11-22T18:00:00Z",'
    b'"expires_at":"2026-11-22T18:05:00Z","signature":"ab"}'
)
RESULT = RelayResult(
    order=UUID("00000000-0000-0000-0000-000000000007"),
    supply="room-1",
    meter="m1",
    concentrator="c1",
    outcome="confirmed",
    readback="open",
    at=datetime(2026, 11, 22, 18, 0, 2, tzinfo=UTC),
)
RESULT_BYTES = (
    b'{"schema":1,"order":"00000000-0000-0000-0000-000000000007","supply":"room-1","meter":"m1","concentrator":"c1",'
    b'"outcome":"confirmed","readback":"open","at":"2026-11-22T18:00:02Z","detail":""}'
)
BEAT = Heartbeat(
    collector="edge-1.0a1b",
    concentrator="c1",
    at=datetime(2026, 11, 22, 18, 0, 2, tzinfo=UTC),
    meters=30,
    failing=1,
    spool_sweeps=12,
    spool_oldest_s=720,
)
BEAT_BYTES = (
    b'{"kind":"heartbeat","schema":1,"collector":"edge-1.0a1b","concentrator":"c1","at":"2026-11-22T18:00:02Z",'
    b'"meters":30,"failing":1,"spool_sweeps":12,"spool_oldest_s":720}'
)
GOLDEN = [
    (decode_meter_message, SWEEP, SWEEP_BYTES),
    (decode_meter_message, TICK, TICK_BYTES),
    (decode_ack, ACK, ACK_BYTES),
    (decode_command, COMMAND, COMMAND_BYTES),
    (decode_result, RESULT, RESULT_BYTES),
    (decode_edge_message, RESULT, RESULT_BYTES),
    (decode_edge_message, BEAT, BEAT_BYTES),
]


@pytest.mark.parametrize(("decode", "message", "golden"), GOLDEN)
def test_a_message_is_these_bytes(decode: Any, message: Any, golden: bytes) -> None:
    assert encode(message) == golden


@pytest.mark.parametrize(("decode", "message", "golden"), GOLDEN)
def test_these_bytes_are_the_message(decode: Any, message: Any, golden: bytes) -> None:
    assert decode(golden) == message


@pytest.mark.parametrize(("decode", "message", "golden"), GOLDEN)
def test_fields_of_a_later_minor_version_are_ignored(decode: Any, message: Any, golden: bytes) -> None:
    assert decode(golden[:-1] + b',"colour":{"of":["the",null,1.5]}}') == message


@pytest.mark.parametrize(("decode", "message", "golden"), GOLDEN)
@pytest.mark.parametrize("schema", [0, 2, 99999999999999999999])
def test_an_unknown_schema_is_told_with_its_number(decode: Any, message: Any, golden: bytes, schema: int) -> None:
    document = json.loads(golden) | {"schema": schema}
    with pytest.raises(WireError) as caught:
        decode(json.dumps(document).encode())
    assert caught.value.reason == "unknown-schema"
    assert str(schema) in caught.value.detail


def test_an_unknown_schema_is_told_even_where_nothing_else_can_be_read() -> None:
    with pytest.raises(WireError) as caught:
        decode_meter_message(b'{"schema":2,"kind":"gossip","readings":"none"}')
    assert caught.value.reason == "unknown-schema"


def _with_reading(reading: dict[str, Any]) -> bytes:
    return json.dumps(
        {"kind": "sweep", "schema": 1, "concentrator": "c1", "collector": "e", "sequence": 1, "readings": [reading]}
    ).encode()


REGISTER: dict[str, Any] = {"meter": "m1", "read_at": "2026-11-22T18:00:00Z", "import_milliwh": 1}
INTERVAL: dict[str, Any] = {
    "meter": "m1",
    "start": "2026-11-22T17:30:00Z",
    "end": "2026-11-22T18:00:00Z",
    "import_milliwh": 1,
}


@pytest.mark.parametrize(
    "reading",
    [
        {},
        {"register": REGISTER, "interval": INTERVAL},
        {"register": REGISTER | {"read_at": "2026-11-22T18:00:00"}},
        {"interval": INTERVAL | {"start": "2026-11-22T17:30:00"}},
        {"interval": INTERVAL | {"end": "2026-11-22T18:00:00"}},
        {"register": REGISTER | {"read_at": "0001-01-01T00:00:00+08:00"}},
        {"interval": INTERVAL | {"end": "9999-12-31T23:59:59-08:00"}},
        {"interval": INTERVAL | {"start": "1969-12-31T23:59:59Z"}},
        {"register": REGISTER | {"import_milliwh": 1.5}},
        {"register": REGISTER | {"import_milliwh": True}},
        {"register": REGISTER | {"import_milliwh": "1"}},
        {"register": REGISTER | {"import_milliwh": 2**63}},
        {"register": REGISTER | {"import_milliwh": -(2**63) - 1}},
        {"register": REGISTER | {"periods": {"peak": 2**63}}},
        {"register": REGISTER | {"quality": "excellent"}},
        {"register": REGISTER | {"meter": ""}},
        {"register": REGISTER | {"meter": "m" * 201}},
        {"register": REGISTER | {"raw": "a\u0000b"}},
    ],
)
def test_a_reading_that_cannot_be_is_malformed(reading: dict[str, Any]) -> None:
    with pytest.raises(WireError) as caught:
        decode_meter_message(_with_reading(reading))
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize("reading", [{"register": REGISTER}, {"interval": INTERVAL}])
def test_the_readings_those_were_made_of_are_well(reading: dict[str, Any]) -> None:
    assert isinstance(decode_meter_message(_with_reading(reading)), Sweep)


@pytest.mark.parametrize("sequence", [0, -1, 2**63])
def test_sweeps_are_numbered_from_one_to_what_the_ledger_can_keep(sequence: int) -> None:
    with pytest.raises(WireError):
        decode_meter_message(json.dumps(json.loads(SWEEP_BYTES) | {"sequence": sequence}).encode())


@pytest.mark.parametrize("sequence", [-1, 2**63])
def test_an_acknowledgement_covers_no_sweep_or_one_that_there_is(sequence: int) -> None:
    with pytest.raises(WireError):
        decode_ack(json.dumps(json.loads(ACK_BYTES) | {"sequence": sequence}).encode())
    nothing_yet = json.dumps(json.loads(ACK_BYTES) | {"sequence": 0}).encode()
    assert decode_ack(nothing_yet).sequence == 0


def test_a_message_of_another_topic_is_not_taken_for_ones_own() -> None:
    with pytest.raises(WireError):
        decode_meter_message(ACK_BYTES)
    with pytest.raises(WireError):
        decode_command(RESULT_BYTES)


pieces = st.sampled_from(
    [b'{"kind":"sweep",', b'"schema":1', b"[", b"]", b"}", b",", b'"readings":[', b'{"register":', b"1e999", b"-0",
     b"NaN", b'"\\ud800"', b"\\u0000", b"\xff", b"null", b'"2026-02-30T00:00:00Z"', b"123456789012345678901234567890"]
)  # fmt: skip
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
).map(lambda document: json.dumps(document).encode())
broken_sweeps = st.tuples(st.integers(0, len(SWEEP_BYTES) - 1), st.binary(max_size=3)).map(
    lambda cut: SWEEP_BYTES[: cut[0]] + cut[1] + SWEEP_BYTES[cut[0] + 1 :]
)
anything = st.binary() | st.lists(pieces, max_size=12).map(b"".join) | documents | broken_sweeps


@given(anything)
@example(b"")
@example(b"[" * 100_000)
@example(b'{"kind":"sweep","schema":1,"x":' + b"[" * 100_000)
@example(b'{"schema":' + b"9" * 10_000 + b"}")
@settings(max_examples=400)
def test_arbitrary_bytes_are_a_message_or_a_wire_error_and_nothing_else(data: bytes) -> None:
    for decode in DECODERS:
        told = _told(decode, data)
        assert told in {"a message", "unreadable", "malformed", "unknown-schema"}


def _told(decode: Any, data: bytes) -> str:
    try:
        message = decode(data)
    except WireError as error:
        return "NUL, which no table keeps" if "\x00" in error.detail else error.reason
    return "a message" if message.schema == wire.SCHEMA else "a message of another schema"


def test_a_meters_own_serial_and_credit_ride_with_its_reading() -> None:
    body = RegisterReading(
        meter="m1",
        read_at=datetime(2026, 11, 22, 18, 0, tzinfo=UTC),
        import_milliwh=5,
        serial="400000000001",
        meter_credit={"remaining": "1234", "purchases": "7"},
    )
    sweep = Sweep(concentrator="c1", collector="edge-1", sequence=1, readings=[Reading(register=body)])
    told = json.loads(encode(sweep))["readings"][0]["register"]
    assert told["serial"] == "400000000001"
    assert told["meter_credit"] == {"remaining": "1234", "purchases": "7"}
    assert decode_meter_message(encode(sweep)) == sweep
