"""What travels over Kafka between the edge and the server, as msgspec structs in JSON.

Unknown fields are ignored; an unknown schema version or kind raises WireError, so that the reader can keep the
message with its reason. Energies are integer milliwatt-hours of import, times are UTC instants, words as read
from the device are hex.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

SCHEMA = 1

METER_READINGS = "meter-readings"
SWEEP_ACKS = "sweep-acks"
RELAY_COMMANDS = "relay-commands"
RELAY_RESULTS = "relay-results"
DEAD_LETTERS = "dead-letters"

# Every topic the system uses with its number of partitions' setting name; all are created by us, none compacted.
TOPICS = (METER_READINGS, SWEEP_ACKS, RELAY_COMMANDS, RELAY_RESULTS, DEAD_LETTERS)

# A time without a zone names two instants on the day the clocks go back: refused.
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
# What PostgreSQL keeps as bigint: a number beyond it would stop every reader behind the message that holds it.
Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
SequenceNumber = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
# Names become keys of indexes, which hold no more than 2,700 bytes.
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Quality = Literal["measured", "estimated", "substituted", "unknown"]
RelayAction = Literal["open", "close"]
RelayOutcome = Literal["confirmed", "failed", "expired", "refused", "superseded"]


class WireError(Exception):
    """A message cannot be read: `reason` is a stable code, the text says what stands there."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class RegisterReading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cumulative register at an instant; it only ever rises, but for rollover at the profile's modulus.

    `serial` is the number that the meter itself told, sent on its daily check and whenever it is not `meter`.
    `meter_credit` is what a meter keeps of its own credit, by name, as decimal text or hex words: for comparison
    with the ledger's accounts, never money.
    """

    meter: Name
    read_at: Instant
    import_milliwh: Integer
    periods: dict[str, Integer] | None = None
    demand_w: Integer | None = None
    reactive_millivarh: Integer | None = None
    apparent_millivah: Integer | None = None
    quality: Quality = "measured"
    profile: str = ""
    raw: str = ""
    serial: Name | None = None
    meter_credit: dict[str, str] | None = None


class IntervalReading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Energy used in the half-open span [start, end), as a file or a load profile gives it."""

    meter: Name
    start: Instant
    end: Instant
    import_milliwh: Integer
    demand_w: Integer | None = None
    reactive_millivarh: Integer | None = None
    apparent_millivah: Integer | None = None
    supersedes: UUID | None = None
    quality: Quality = "measured"
    profile: str = ""
    raw: str = ""


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reading: exactly one of its two kinds is there."""

    register: RegisterReading | None = None
    interval: IntervalReading | None = None

    def __post_init__(self) -> None:
        if (self.register is None) == (self.interval is None):
            raise ValueError("a reading holds either a register or an interval")
        if self.register is not None:
            _check_calendar(self.register.read_at)
        if self.interval is not None:
            _check_calendar(self.interval.start)
            _check_calendar(self.interval.end)


def _check_calendar(instant: datetime) -> None:
    """Raise ValueError for a year near the calendar's ends, where a zone's offset leads out of it."""
    if not 1970 <= instant.year < 3000:
        raise ValueError(f"time {instant.isoformat()} is not between the years 1970 and 2999")


class Sweep(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="sweep"):
    """What one pass over a concentrator's meters read; sequences run 1, 2, 3 … per collector and concentrator."""

    schema: int = SCHEMA
    concentrator: Name
    collector: Name
    sequence: SequenceNumber
    readings: list[Reading]


class Tick(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="tick"):
    """A local date has ended for a concentrator's supplies: time-driven charges fall due."""

    schema: int = SCHEMA
    concentrator: Name
    local_date: date


class SweepAck(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger has committed this collector's sweeps of this concentrator up to and including `sequence`.

    A collector forgets what an acknowledgement covers, and publishes again from `sequence` + 1 when an
    acknowledgement falls behind what it has already published (the ledger takes sweeps in sequence only).
    """

    schema: int = SCHEMA
    concentrator: Name
    collector: Name
    sequence: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]  # 0: none applied yet


class RelayCommand(msgspec.Struct, frozen=True, kw_only=True):
    """An order to a relay, signed with Ed25519 over `ledger.values.signing.signed_bytes`; signature in hex."""

    schema: int = SCHEMA
    order: UUID
    sequence: SequenceNumber
    concentrator: Name
    supply: Name
    meter: Name
    action: RelayAction
    reason: str
    ledger_position: Integer
    issued_at: Instant
    expires_at: Instant
    signature: str = ""


class RelayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an order at the edge; `readback` is the state as read, never as written."""

    schema: int = SCHEMA
    order: UUID
    supply: Name
    meter: Name
    concentrator: Name
    outcome: RelayOutcome
    readback: Literal["open", "closed", "unknown"]
    at: Instant
    detail: str = ""


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="heartbeat"):
    """How a collector fares with one of its concentrators, on the topic of the results, told in intervals.

    `failing` are the meters that brought no reading when they were last asked; the spool is the whole collector's.
    """

    schema: int = SCHEMA
    collector: Name
    concentrator: Name
    at: Instant
    meters: Count
    failing: Count
    spool_sweeps: Count
    spool_oldest_s: Count


class _Header(msgspec.Struct):
    schema: int
    kind: str = ""


# RecursionError: brackets nested by the thousand.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

encode = msgspec.json.Encoder().encode
_header_decoder = msgspec.json.Decoder(_Header)
_meter_message_decoder = msgspec.json.Decoder(Sweep | Tick)
_ack_decoder = msgspec.json.Decoder(SweepAck)
_command_decoder = msgspec.json.Decoder(RelayCommand)
_result_decoder = msgspec.json.Decoder(RelayResult)
_heartbeat_decoder = msgspec.json.Decoder(Heartbeat)


def decode_meter_message(data: bytes) -> Sweep | Tick:
    """Decode a message of `meter-readings`; raises WireError."""
    message: Sweep | Tick = _decoded(_meter_message_decoder, data)
    return message


def decode_ack(data: bytes) -> SweepAck:
    """Decode a message of `sweep-acks`; raises WireError."""
    ack: SweepAck = _decoded(_ack_decoder, data)
    return ack


def decode_command(data: bytes) -> RelayCommand:
    """Decode a message of `relay-commands`; raises WireError."""
    command: RelayCommand = _decoded(_command_decoder, data)
    return command


def decode_result(data: bytes) -> RelayResult:
    """Decode a message of `relay-results`; raises WireError."""
    result: RelayResult = _decoded(_result_decoder, data)
    return result


def decode_edge_message(data: bytes) -> RelayResult | Heartbeat:
    """Decode a message of `relay-results`, which carries heartbeats too; raises WireError."""
    try:
        is_heartbeat = _header_decoder.decode(data).kind == "heartbeat"
    except _UNREADABLE:
        is_heartbeat = False
    if not is_heartbeat:
        return decode_result(data)
    beat: Heartbeat = _decoded(_heartbeat_decoder, data)
    return beat


def _decoded(decoder: "msgspec.json.Decoder[Any]", data: bytes) -> Any:
    # PostgreSQL's text and jsonb cannot hold it; and it would have to be written as this escape.
    if rb"\u0000" in data:
        raise WireError("malformed", "a text holds the character NUL")
    try:
        message = decoder.decode(data)
    except _UNREADABLE as error:
        raise _explained(data, error) from None
    if message.schema != SCHEMA:
        raise _unknown_schema(message.schema)
    return message


def _explained(data: bytes, error: Exception) -> WireError:
    """Tell a message from a newer version of ours from one that is simply broken."""
    try:
        header = _header_decoder.decode(data)
    except _UNREADABLE:
        return WireError("unreadable", str(error))
    if header.schema != SCHEMA:
        return _unknown_schema(header.schema)
    return WireError("malformed", str(error))


def _unknown_schema(schema: int) -> WireError:
    return WireError("unknown-schema", f"schema {schema} is not known here (this version reads {SCHEMA})")
