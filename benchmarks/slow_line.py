"""A serial line of 9,600 baud in the way of a concentrator: each question and answer takes its frames' time."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_BAUD = 9_600
_BITS_PER_CHARACTER = 11
_SILENCE_CHARACTERS = 3.5
# What Modbus TCP has before the unit, and RTU does not; and the CRC that RTU has instead.
_HEADER, _CRC = 6, 2


def frame_s(tcp_bytes: int) -> float:
    """Return how long a frame of Modbus TCP takes as one of RTU, with the silence that ends it."""
    characters = tcp_bytes - _HEADER + _CRC + _SILENCE_CHARACTERS
    return characters * _BITS_PER_CHARACTER / _BAUD


async def _message(reader: asyncio.StreamReader) -> bytes:
    header = await reader.readexactly(_HEADER)
    return header + await reader.readexactly(int.from_bytes(header[4:6], "big"))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to_port: int) -> None:
    """Carry one question after the other, and its answer back."""
    there, back = await asyncio.open_connection("127.0.0.1", to_port)
    try:
        while True:
            question = await _message(reader)
            await asyncio.sleep(frame_s(len(question)))
            back.write(question)
            answer = await _message(there)
            await asyncio.sleep(frame_s(len(answer)))
            writer.write(answer)
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        # Ended by either side, or with the line; asyncio's streams would print the last one.
        pass
    finally:
        back.close()
        writer.close()


@contextmanager
def slow_line(*, at_port: int, to_port: int) -> Iterator[None]:
    """Put a line between a port and a concentrator's own for as long as the block runs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def serve() -> None:
        await asyncio.start_server(lambda r, w: _carry(r, w, to_port), "127.0.0.1", at_port)

    asyncio.run_coroutine_threadsafe(serve(), loop).result(timeout=10)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(_end_others(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        loop.close()


async def _end_others() -> None:
    """End every connection, and wait until they have."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
