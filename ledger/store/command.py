"""A command with its caller's key: the same key with the same content has one effect, with other content none."""

import hashlib
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Command:
    """A keyed command: `content` is what the caller asked for, as JSON values."""

    key: str
    content: dict[str, str]

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content in a canonical form."""
        return hashlib.sha256(msgspec.json.encode(self.content, order="sorted")).digest()
