"""Outside references (a bank's, a payment provider's): in events only as keyed hashes that nobody can guess."""

import hmac
import re

from ledger.values.errors import InvalidValue

_KEY = re.compile(r"[0-9a-fA-F]{64}")


def reference_hash(reference: str, *, key_hex: str) -> str:
    """Return the HMAC-SHA256 of a reference in hex; raises InvalidValue for a key that is not 32 bytes in hex.

    A plain hash would not do: references are few and of a known form, so whoever has the ledger could try them all.
    """
    if not _KEY.fullmatch(key_hex):
        raise InvalidValue(
            "WATTLEDGER_REFERENCE_KEY is not 64 hexadecimal digits; make one, once for the life of the ledger:"
            " openssl rand -hex 32"
        )
    return hmac.new(bytes.fromhex(key_hex), reference.encode(), "sha256").hexdigest()
