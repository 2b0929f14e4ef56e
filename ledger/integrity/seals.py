"""A seal: what it says of a block of events, what its signature covers, and the hash that the next one names."""

import struct
from hashlib import sha256
from uuid import UUID

import msgspec

from ledger.integrity.keys import PublicKeys, SealingKey
from ledger.wire import Instant

# Names what is signed, so that a signature made for one purpose is never good for another.
_CONTEXT = "wattledger seal 1"
NO_SEAL = "00" * 32

# The number of fields; length and value of position, stream and version; the length of the topic.
_HEAD = struct.Struct(">hiqi16siqi")
_LENGTH = struct.Struct(">i")


class Seal(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="seal"):
    """Events `first_position` to `last_position`, in order, under one Merkle root; hashes and signature in hex.

    `previous` is the hash of the seal before it, zeros for the first.
    """

    number: int
    first_position: int
    last_position: int
    events: int
    root: str
    previous: str
    sealed_at: Instant
    key_id: str
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """Return what the signature covers: every other field, in a fixed order."""
        return msgspec.json.encode(
            [
                _CONTEXT,
                self.number,
                self.first_position,
                self.last_position,
                self.events,
                self.root,
                self.previous,
                self.sealed_at,
                self.key_id,
            ]
        )

    @property
    def hash(self) -> str:
        """The SHA-256 of the whole seal, which the next one names."""
        return sha256(self.signed_bytes() + self.signature.encode()).hexdigest()

    def is_signed(self, keys: PublicKeys) -> bool:
        """Tell whether one of these keys signed it."""
        try:
            signature = bytes.fromhex(self.signature)
        except ValueError:
            return False
        return keys.is_signed(self.signed_bytes(), key_id=self.key_id, signature=signature)


def signed_seal(seal: Seal, key: SealingKey) -> Seal:
    """Return the seal signed with this key."""
    named = msgspec.structs.replace(seal, key_id=key.key_id)
    return msgspec.structs.replace(named, signature=key.sign(named.signed_bytes()).hex())


def event_bytes(*, position: int, stream: UUID, version: int, topic: str, state: bytes) -> bytes:
    """Return the canonical bytes of an event, which its leaf is the hash of.

    They are the row (position, stream, version, topic, state) as PostgreSQL's binary COPY sends it: the number of
    fields, then each one behind its length, all big-endian; less the first byte of that number, a zero, which is the
    very prefix that RFC 6962 puts before a leaf. So verifying hashes what comes off the wire, as it comes.
    """
    name = topic.encode()
    head = _HEAD.pack(5, 8, position, 16, stream.bytes, 8, version, len(name))
    return head[1:] + name + _LENGTH.pack(len(state)) + state
