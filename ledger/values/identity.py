"""Identities that two sides derive alike, so that the same thing always has the same id."""

from datetime import datetime
from hashlib import sha1
from uuid import UUID

import msgspec

from ledger.values.instants import in_utc

# Fixed for all time: every id below would change with it.
NAMESPACE = UUID("6f2b0f4e-1d5c-5c1b-9b43-7f4d8a0c2e11")
# A hash that the namespace went into: an id is made for every reading, and the library's way takes much longer.
_HASHED = sha1(NAMESPACE.bytes, usedforsecurity=False)
_encode = msgspec.json.Encoder().encode


def uuid5(name: str) -> UUID:
    """Return the UUIDv5 of a name in our namespace (RFC 9562, section 5.5)."""
    hashed = _HASHED.copy()
    hashed.update(name.encode())
    number = bytearray(hashed.digest()[:16])
    number[6] = number[6] & 0x0F | 0x50
    number[8] = number[8] & 0x3F | 0x80
    return msgspec.convert(bytes(number), UUID)


def reading_id(*, meter: str, registers: str, read_at: datetime) -> UUID:
    """Return a reading's business identity: UUIDv5 of meter serial, register set and read time (design §3)."""
    return uuid5(f"reading|{meter}|{registers}|{_told(read_at)}")


def _told(instant: datetime) -> str:
    """Write an instant as its isoformat in UTC does, which takes ten times as long."""
    return _encode(in_utc(instant))[1:-2].decode() + "+00:00"


def interval_id(*, meter: str, start: datetime, end: datetime) -> UUID:
    """Return an interval's business identity, from its meter, its length and its start."""
    length_s = int((end - start).total_seconds())
    return reading_id(meter=meter, registers=f"import/{length_s}s", read_at=start)


def supply_stream(code: str) -> UUID:
    """Return the event stream of the supply point with this code."""
    return uuid5(f"supply|{code}")


def meter_stream(code: str) -> UUID:
    """Return the event stream of what the supply point with this code consumed."""
    return uuid5(f"meter|{code}")


def relay_stream(code: str) -> UUID:
    """Return the event stream of the relay of the supply point with this code."""
    return uuid5(f"relay|{code}")


def account_stream(code: str) -> UUID:
    """Return the event stream of the account with this code."""
    return uuid5(f"account|{code}")


def tariff_stream(code: str) -> UUID:
    """Return the event stream of the tariff with this code."""
    return uuid5(f"tariff|{code}")


def site_stream(code: str) -> UUID:
    """Return the event stream of the site with this code."""
    return uuid5(f"site|{code}")


def cuts_stream(site: str) -> UUID:
    """Return the event stream of a site's cuts that wait for an operator."""
    return uuid5(f"cuts|{site}")


def books_stream() -> UUID:
    """Return the event stream of the books as a whole."""
    return uuid5("books|ledger")


def order_id(*, supply: str, sequence: int) -> UUID:
    """Return the id of the relay order that stands at this version of the supply's relay stream."""
    return uuid5(f"order|{supply}|{sequence}")


def proposal_stream(code: str) -> UUID:
    """Return the event stream of the proposal with this code."""
    return uuid5(f"proposal|{code}")


def receipt_stream(code: str) -> UUID:
    """Return the event stream of the unidentified receipt with this code."""
    return uuid5(f"receipt|{code}")


def clearing_stream(channel: str) -> UUID:
    """Return the event stream of what a channel's provider paid out."""
    return uuid5(f"clearing|{channel}")


def agent_stream(code: str) -> UUID:
    """Return the event stream of the agent with this code."""
    return uuid5(f"agent|{code}")


def token_id(*, supply: str, count: int) -> UUID:
    """Return the id of the token with this count of the supply point's meter."""
    return uuid5(f"token|{supply}|{count}")


def payer_stream(code: str) -> UUID:
    """Return the event stream of whom the payer with this code pays for."""
    return uuid5(f"payer|{code}")


def autopay_stream(account: str) -> UUID:
    """Return the event stream of how the account with this code is topped up by itself."""
    return uuid5(f"autopay|{account}")


def payment_stream(*, provider: str, reference_hash: str) -> UUID:
    """Return the event stream of what a provider kept of the payment with this keyed hash."""
    return uuid5(f"payment|{provider}|{reference_hash}")


POLICY_STREAM = uuid5("policy|four-eyes")
