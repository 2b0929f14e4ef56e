"""The private key of a stack that was not given one: made once, kept in a file that only its owner can read."""

import os
from pathlib import Path

from ledger.values.signing import new_signing_key_hex


def kept_signing_key(path: Path) -> str:
    """Return the key in the file, 32 bytes in hex; a new one is made and written when there is no file."""
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    key = new_signing_key_hex()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{key}\n")
    return key
