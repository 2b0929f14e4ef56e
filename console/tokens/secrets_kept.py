"""Meters' secrets at rest: sealed by AES-256-GCM with a key from the environment, bound to their supply point."""

import os
import re
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import Connection
from psycopg.rows import tuple_row

from console.tokens.digits import Secrets
from ledger.values.errors import Conflict, InvalidValue, NotFound

SETTING = "WATTLEDGER_TOKEN_KEY"

_KEY = re.compile(r"[0-9a-fA-F]{64}")
_DEVICE_KEY = re.compile(r"[0-9a-fA-F]{32}")
_STARTING_CODE = re.compile(r"[0-9]{1,9}")
_NONCE_BYTES = 12


def sealing_key(environ: Mapping[str, str]) -> bytes:
    """Return the key that meters' secrets are sealed with; raises InvalidValue where it is none."""
    text = environ.get(SETTING, "")
    if not _KEY.fullmatch(text):
        raise InvalidValue(
            f"{SETTING} is not 64 hexadecimal digits; make one, and keep it well: openssl rand -hex 32"
        )
    return bytes.fromhex(text)


def secrets_from_text(text: str) -> Secrets:
    """Read a starting code and a key, with white space between; raises InvalidValue, without them in it."""
    words = text.split()
    if len(words) != 2 or not _STARTING_CODE.fullmatch(words[0]) or not _DEVICE_KEY.fullmatch(words[1]):
        raise InvalidValue(
            "the meter's secrets are not a starting code of up to nine digits and a key of 32 hexadecimal digits;"
            " write both into the file, the code first"
        )
    if int(words[0]) == 0:
        raise InvalidValue("a starting code of 0 is none; the library would take it for one that is not given")
    return Secrets(int(words[0]), words[1].lower())


def keep_secrets(connection: Connection[Any], *, supply: str, secrets: Secrets, key: bytes) -> None:
    """Keep a meter's secrets, once; raises Conflict where others are kept for this supply point."""
    nonce = os.urandom(_NONCE_BYTES)
    plain = f"{secrets.starting_code} {secrets.key_hex}".encode()
    sealed = nonce + AESGCM(key).encrypt(nonce, plain, supply.encode())
    kept = connection.execute(
        "INSERT INTO tokens.devices (supply, sealed) VALUES (%s, %s) ON CONFLICT DO NOTHING", (supply, sealed)
    )
    if kept.rowcount == 0 and kept_secrets(connection, supply=supply, key=key) != secrets:
        raise Conflict(f"other secrets are kept for supply point {supply!r}; tokens were issued with them")


def kept_secrets(connection: Connection[Any], *, supply: str, key: bytes) -> Secrets:
    """Return a meter's secrets; raises NotFound where none are kept, InvalidValue where this key opens them not."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute("SELECT sealed FROM tokens.devices WHERE supply = %s", (supply,)).fetchone()
    if row is None:
        raise NotFound(f"no secrets are kept of the meter at {supply!r}; give them: wattledger tokens set-up")
    sealed = bytes(row[0])
    try:
        plain = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], supply.encode())
    except InvalidTag:
        raise InvalidValue(
            f"{SETTING} does not open the secrets of the meter at {supply!r}; it was another"
        ) from None
    return secrets_from_text(plain.decode())
