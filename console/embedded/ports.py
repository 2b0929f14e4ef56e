"""Free TCP ports of the loopback interface."""

import secrets
import socket

from console.errors import ServiceFailed

LOOPBACK = "127.0.0.1"
# Below the range Linux and macOS take outgoing connections' ports from: a client that tries again and again to reach
# a port of that range ends up connected to itself, and the server cannot have it.
_LOWEST, _HIGHEST = 15_000, 32_000


def free_port() -> int:
    """Return a TCP port nobody listens on now; whoever asks should bind it soon. Raises ServiceFailed."""
    for _ in range(1000):
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        if is_free(port):
            return port
    raise ServiceFailed(f"no TCP port between {_LOWEST} and {_HIGHEST} is free on {LOOPBACK}; end what holds them")


def is_free(port: int) -> bool:
    """Tell whether nobody listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
