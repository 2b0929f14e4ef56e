"""Ed25519 signatures of relay orders and site files: the private key is the office's, the edge has the public one."""

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.values.errors import InvalidValue
from ledger.wire import RelayCommand

# Names what is signed, so that a signature made for one purpose is never good for another.
_CONTEXT = "wattledger relay order 1"
_FILE_CONTEXT = b"wattledger site file 1\n"


def signed_bytes(command: RelayCommand) -> bytes:
    """Return the bytes an order's signature covers: every field but the signature, in a fixed order."""
    return msgspec.json.encode(
        [
            _CONTEXT,
            command.schema,
            command.order,
            command.sequence,
            command.concentrator,
            command.supply,
            command.meter,
            command.action,
            command.reason,
            command.ledger_position,
            command.issued_at,
            command.expires_at,
        ]
    )


class OrderSigner:
    """Signs relay orders with a private key given as 32 bytes in hex; the key is never shown."""

    def __init__(self, private_key_hex: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(key_bytes(private_key_hex, what="signing key"))

    @property
    def public_key_hex(self) -> str:
        """The public key for the edge, 32 bytes in hex."""
        return self._key.public_key().public_bytes_raw().hex()

    def signed(self, command: RelayCommand) -> RelayCommand:
        """Return the command with its signature."""
        signature = self._key.sign(signed_bytes(command)).hex()
        return msgspec.structs.replace(command, signature=signature)

    def file_signature(self, content: bytes) -> str:
        """Return a site file's signature, in hex."""
        return self._key.sign(_FILE_CONTEXT + content).hex()


class OrderVerifier:
    """Verifies relay orders with a public key given as 32 bytes in hex."""

    def __init__(self, public_key_hex: str) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(key_bytes(public_key_hex, what="public key"))

    def is_authentic(self, command: RelayCommand) -> bool:
        """Tell whether the command is exactly what the holder of the private key signed."""
        try:
            self._key.verify(bytes.fromhex(command.signature), signed_bytes(command))
        except (InvalidSignature, ValueError):
            return False
        return True

    def is_authentic_file(self, content: bytes, signature: str) -> bool:
        """Tell whether a site file is byte for byte what the holder of the private key signed."""
        try:
            self._key.verify(bytes.fromhex(signature), _FILE_CONTEXT + content)
        except (InvalidSignature, ValueError):
            return False
        return True


def new_signing_key_hex() -> str:
    """Make a new private key, 32 bytes in hex."""
    return Ed25519PrivateKey.generate().private_bytes_raw().hex()


def key_bytes(key_hex: str, *, what: str) -> bytes:
    """Return a key of 32 bytes given in hex; raises InvalidValue without showing it."""
    try:
        key = bytes.fromhex(key_hex)
    except ValueError:
        key = b""
    if len(key) != 32:
        # The value itself is not shown: it may be a secret.
        raise InvalidValue(f"the {what} is not 32 bytes in hex; make one with `wattledger keys new`")
    return key
