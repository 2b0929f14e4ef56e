"""Ed25519 keys that sign seals: the private one is the sealer's alone, the public ones are for everybody."""

import re
from collections.abc import Mapping
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.values.errors import InvalidValue

_KEY = re.compile(r"[0-9a-fA-F]{64}")


def key_id_of(public_key: bytes) -> str:
    """Return the name of a public key: the beginning of its SHA-256, in hex."""
    return sha256(public_key).hexdigest()[:16]


class SealingKey:
    """A private key given as 32 bytes in hex; the key is never shown."""

    def __init__(self, private_key_hex: str) -> None:
        if not _KEY.fullmatch(private_key_hex):
            raise InvalidValue("the sealing key is not 32 bytes in hex; make one with `wattledger keys new-sealing`")
        self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private_key_hex))
        self.public_key = self._key.public_key().public_bytes_raw()
        self.key_id = key_id_of(self.public_key)

    def sign(self, signed: bytes) -> bytes:
        """Return the signature of these bytes."""
        return self._key.sign(signed)


class PublicKeys:
    """Public keys by their ids: what signatures of seals are verified with."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = {key_id: Ed25519PublicKey.from_public_bytes(key) for key_id, key in keys.items()}

    def knows(self, key_id: str) -> bool:
        """Tell whether there is a key of this id."""
        return key_id in self._keys

    def is_signed(self, signed: bytes, *, key_id: str, signature: bytes) -> bool:
        """Tell whether the holder of this key's private half signed these bytes."""
        key = self._keys.get(key_id)
        if key is None:
            return False
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            return False
        return True


def public_keys_from_text(text: str) -> PublicKeys:
    """Read public keys, 32 bytes in hex each, one to a line; `#` begins a comment. Raises InvalidValue."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    keys = [line.rpartition("=")[2].strip() for line in lines if line]
    wrong = [key for key in keys if not _KEY.fullmatch(key)]
    if wrong or not keys:
        found = repr(wrong[0]) if wrong else "nothing"
        raise InvalidValue(f"a public key is 64 hexadecimal digits, one to a line; found {found}")
    public = [bytes.fromhex(key) for key in keys]
    return PublicKeys({key_id_of(key): key for key in public})
