"""The record of a commissioning: made and signed beside the meter, verified where it is booked."""

from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.values.errors import InvalidValue
from ledger.values.signing import key_bytes
from ledger.wire import Instant, Integer, Name

# Names what is signed, so that a signature made for one purpose is never good for another.
_CONTEXT = "wattledger commissioning 1"
_SCHEMA = 1

# What was switched: nothing where the meter has no relay, or where the supply must not be cut.
CommissionedRelay = Literal["tripped", "none", "protected"]


class CommissioningRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a meter came through its commissioning; power in W, the register as the meter shows it in mWh.

    `operator` is an opaque id; `failed` names the step that failed, and is empty where it passed. The signature is in
    hex, Ed25519 over every other field.
    """

    schema: int = _SCHEMA
    supply: Name
    meter: Name
    concentrator: Name
    collector: Name
    operator: Name
    commissioned_at: Instant
    passed: bool
    failed: str
    register_milliwh: Integer | None
    relay: CommissionedRelay
    load_before_w: Integer | None
    load_open_w: Integer | None
    signature: str = ""


def signed_record(record: CommissioningRecord, *, private_key_hex: str) -> CommissioningRecord:
    """Return the record with its signature."""
    key = Ed25519PrivateKey.from_private_bytes(key_bytes(private_key_hex, what="commissioning key"))
    return msgspec.structs.replace(record, signature=key.sign(_signed_bytes(record)).hex())


def commissioning_public_key_hex(private_key_hex: str) -> str:
    """Return the public key of a private one, both 32 bytes in hex."""
    key = Ed25519PrivateKey.from_private_bytes(key_bytes(private_key_hex, what="commissioning key"))
    return key.public_key().public_bytes_raw().hex()


def record_text(record: CommissioningRecord) -> bytes:
    """Return a record as the text of its file."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def read_record(text: bytes, *, public_keys_hex: tuple[str, ...]) -> CommissioningRecord:
    """Read a record that one of these keys signed; raises InvalidValue for any other."""
    try:
        record = msgspec.json.decode(text, type=CommissioningRecord)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidValue(f"this is no record of a commissioning: {error}; give the file as it was made") from None
    if record.schema != _SCHEMA:
        raise InvalidValue(f"schema {record.schema} is not known here (this version reads {_SCHEMA}); upgrade it")
    if not any(_is_authentic(record, key) for key in public_keys_hex):
        raise InvalidValue(
            f"the record of {record.supply!r} is signed by none of the known commissioning keys, or was altered;"
            " commission again, or set WATTLEDGER_COMMISSIONING_PUBLIC_KEYS"
        )
    return record


def _is_authentic(record: CommissioningRecord, public_key_hex: str) -> bool:
    key = Ed25519PublicKey.from_public_bytes(key_bytes(public_key_hex, what="commissioning public key"))
    try:
        key.verify(bytes.fromhex(record.signature), _signed_bytes(record))
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed_bytes(record: CommissioningRecord) -> bytes:
    return msgspec.json.encode([_CONTEXT, *msgspec.structs.astuple(record)[:-1]])
