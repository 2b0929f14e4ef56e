"""A proxy between worker and PostgreSQL that cuts connections at COMMIT: before it, or when its reply is left."""

import contextlib
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal
from urllib.parse import quote

from console.embedded.postgres import DEFAULT_PORT, EmbeddedPostgres

# What becomes of a COMMIT: it passes; the connection is cut before the server has it; the server has committed and
# the reply is dropped; the server has it and the client is cut off at once, whatever the server does.
Fate = Literal["passes", "cut-before", "reply-lost", "cut-at-once"]


class Proxy:
    """Listens on a unix socket of its own and asks `fates` what to do with every COMMIT; a context manager."""

    def __init__(self, server: EmbeddedPostgres, fates: Iterator[Fate]) -> None:
        self._server = server
        self._fates = fates
        self._lock = threading.Lock()
        self._directory = tempfile.TemporaryDirectory(prefix="wl-proxy-")
        self._listener = socket.socket(socket.AF_UNIX)
        self.met: list[Fate] = []

    def __enter__(self) -> "Proxy":
        self._listener.bind(f"{self._directory.name}/.s.PGSQL.{DEFAULT_PORT}")
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self._directory.cleanup()

    def url(self, database: str, role: str) -> str:
        return f"postgresql://{role}@/{database}?host={quote(self._directory.name, safe='')}&port={DEFAULT_PORT}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        port = self._server.port or DEFAULT_PORT
        server.connect(str(Path(self._server.socket_directory) / f".s.PGSQL.{port}"))
        replies_lost = threading.Event()
        threading.Thread(target=self._replies, args=(server, client, replies_lost), daemon=True).start()
        with contextlib.suppress(OSError, EOFError):
            self._requests(client, server, replies_lost)
        for one in (client, server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _requests(self, client: socket.socket, server: socket.socket, replies_lost: threading.Event) -> None:
        length = _exactly(client, 4)
        server.sendall(length + _exactly(client, struct.unpack(">i", length)[0] - 4))
        while True:
            head = _exactly(client, 5)
            body = _exactly(client, struct.unpack(">i", head[1:])[0] - 4)
            if head[:1] in b"QP" and b"COMMIT" in body:
                with self._lock:
                    fate = next(self._fates)
                    self.met.append(fate)
                if fate == "cut-before":
                    return
                if fate == "reply-lost":
                    replies_lost.set()
                server.sendall(head + body)
                if fate == "cut-at-once":
                    return
            else:
                server.sendall(head + body)

    def _replies(self, server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                if lost.is_set():
                    break
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)


def _exactly(source: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = source.recv(length - len(data))
        if not part:
            raise EOFError
        data += part
    return data
