"""Concentrators with a serial line behind each, as slow as its baud rate: every answer takes its frames' time."""

import asyncio
import json
import sys

_BAUD = 9_600
_BITS_PER_CHARACTER = 11
_SILENCE_CHARACTERS = 3.5
_WORDS = 10
_REQUEST_CHARACTERS, _ANSWER_CHARACTERS = 8, 5 + 2 * _WORDS
# Question and answer in RTU, each with the silence that ends it; the meter itself answers at once.
LINE_TIME_S = (_REQUEST_CHARACTERS + _ANSWER_CHARACTERS + 2 * _SILENCE_CHARACTERS) * _BITS_PER_CHARACTER / _BAUD
_ENERGY = (1, 0x86A3, 0, 0x8003, 0, 0, 1, 0x06A0, 0, 0)
_PDU = bytes((3, 2 * _WORDS)) + b"".join(word.to_bytes(2, "big") for word in _ENERGY)


class Concentrator(asyncio.Protocol):
    """One connection: answers every request with ten words of energy, after the time they take on the line."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take in the transport (asyncio's)."""
        self._transport = transport
        self._free_s = 0.0

    def data_received(self, data: bytes) -> None:
        """Answer one request (asyncio's): the collector sends one at a time."""
        loop = asyncio.get_running_loop()
        self._free_s = max(self._free_s, loop.time()) + LINE_TIME_S
        answer = data[:4] + (len(_PDU) + 1).to_bytes(2, "big") + data[6:7] + _PDU
        loop.call_at(self._free_s, self._transport.write, answer)  # type: ignore[attr-defined]


async def _serve(count: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Concentrator, "127.0.0.1", 0) for _ in range(count)]
    sys.stdout.write(json.dumps([server.sockets[0].getsockname()[1] for server in servers]) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
