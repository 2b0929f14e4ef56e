"""A line's bytes as they come, whatever carries them: a socket, TLS, a serial port, a terminal that dialled in."""

import asyncio
from contextlib import suppress
from typing import cast

# More than this unread is no answer to anything we asked: whoever sends it is cut off.
_UNREAD_MAX = 64 * 1024


class Channel(asyncio.Protocol):
    """One connection's two directions; what has come and was not taken stays in `buffer`."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.closed = False
        self.heard_s = asyncio.get_running_loop().time()
        self._transport: asyncio.Transport | None = None
        self._news = asyncio.Event()

    @property
    def peer(self) -> str:
        """Where the other end is, for messages."""
        address = self._transport.get_extra_info("peername") if self._transport else None
        return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "the line"

    def send(self, data: bytes) -> None:
        """Write bytes; where the line is gone, nothing happens and no answer will come."""
        if self._transport is not None and not self.closed:
            self._transport.write(data)

    async def more(self) -> None:
        """Return when bytes have come, or the line is gone, since the last call."""
        await self._news.wait()
        self._news.clear()

    def discard(self) -> int:
        """Forget what came and was not taken; returns how many bytes that were."""
        unread = len(self.buffer)
        self.buffer.clear()
        return unread

    def close(self) -> None:
        """Close the line at once; what was not sent yet is lost."""
        self.closed = True
        self._news.set()
        if self._transport is None:
            return
        with suppress(Exception):  # A serial port that was pulled out raises what its driver likes.
            self._transport.close() if not hasattr(self._transport, "abort") else self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take in the transport (asyncio's)."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take in bytes (asyncio's)."""
        self.heard_s = asyncio.get_running_loop().time()
        self.buffer += data
        if len(self.buffer) > _UNREAD_MAX:
            self.buffer.clear()
            self.close()
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Note that the line is gone (asyncio's)."""
        self.closed = True
        self._news.set()
