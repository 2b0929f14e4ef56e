"""Deliveries signed by HMAC-SHA256: a time, and the signature over that time and the body, in two headers.

    Wattledger-Timestamp: 1790000000
    Wattledger-Signature: 5257a8...e1 0c9f22...7a

The signature is HMAC-SHA256(secret, timestamp + "." + body) in hex. Several, with a blank between them, let whoever
signs change secrets; several secrets let whoever verifies.
"""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

from console.payments.port import WINDOW_S, NotGenuine

TIMESTAMP = "wattledger-timestamp"
SIGNATURE = "wattledger-signature"
SHORTEST_SECRET = 16
_MOST_SIGNATURES = 8


def signed_headers(body: bytes, *, secret: str, now: datetime) -> dict[str, str]:
    """Return the headers that sign a body at an instant."""
    timestamp = str(int(now.timestamp()))
    return {TIMESTAMP: timestamp, SIGNATURE: _signature(body, timestamp, secret)}


def check_signed(body: bytes, headers: Mapping[str, str], *, secrets: Sequence[str], now: datetime) -> None:
    """Raise NotGenuine unless one of the secrets signed this body within the window; header names in lower case."""
    timestamp = headers.get(TIMESTAMP, "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise NotGenuine(
            "the delivery has no Wattledger-Timestamp in seconds since 1970; sign it as docs/payments.md"
        )
    given = headers.get(SIGNATURE, "").split()[:_MOST_SIGNATURES]
    wanted = [_signature(body, timestamp, secret) for secret in secrets]
    # Compared as bytes: a header may hold what is not ASCII, which the comparison of texts refuses with an error.
    matches = [hmac.compare_digest(one.encode(), other.encode()) for one in given for other in wanted]
    if not any(matches):
        raise NotGenuine("the delivery's Wattledger-Signature is not of a secret known here; check the secret")
    age_s = now.timestamp() - int(timestamp)
    if abs(age_s) > WINDOW_S:
        raise NotGenuine(
            f"the delivery was signed {abs(age_s):.0f} s {'ago' if age_s > 0 else 'ahead'}, beyond {WINDOW_S} s;"
            " sign it anew when it is sent again, and check the clocks"
        )


def _signature(body: bytes, timestamp: str, secret: str) -> str:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, "sha256").hexdigest()
