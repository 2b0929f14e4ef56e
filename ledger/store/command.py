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
    def kept_key(self) -> str:
        """The key as it is kept: its kind, and the SHA-256 of what the caller gave, which may be a reference."""
        return kept_key(self.key)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content in a canonical form."""
        return hashlib.sha256(msgspec.json.encode(self.content, order="sorted")).digest()


def kept_key(key: str) -> str:
    """Return what is kept of a key such as `top-up/4711`: the kind of command, and a hash of the rest."""
    kind, _, given = key.partition("/")
    return f"{kind}/{hashlib.sha256(given.encode()).hexdigest()}"
