"""A bad line of RTU frames: they have a checksum, so every bit of them is garbled here, registers included."""

import asyncio
import random
from contextlib import suppress

from collectors.frames import crc16
from tests.field.modbus_proxy import Harm, ModbusProxy, _cut, _delayed, _half_open, _slow_bytes, _truncated, _twice

_READS = (3, 4)
_late: set["asyncio.Task[None]"] = set()


def _whole(body: bytes) -> bytes:
    return body + crc16(body)


async def _garbled(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    frame = bytearray(answer)
    for _ in range(chance.randint(1, 3)):
        frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)
    out.write(frame)
    return True


async def _wrong_unit(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    out.write(_whole(bytes((answer[0] % 247 + 1,)) + answer[1:-2]))
    return True


async def _exception(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    code = chance.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 255))
    out.write(_whole(bytes((answer[0], answer[1] | 0x80, code))))
    return True


async def _noise(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    out.write(chance.randbytes(chance.randint(1, 9)) + answer + chance.randbytes(chance.randint(0, 9)))
    return True


async def _a_little_late(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    """After its own time-out and before the next: later than that, no RTU answer can be told from a new one."""

    async def deliver() -> None:
        await asyncio.sleep(chance.uniform(0.07, 0.1))
        with suppress(OSError, RuntimeError):
            out.write(answer)

    _late.add(task := asyncio.create_task(deliver()))
    task.add_done_callback(_late.discard)
    return True


RTU_HARMS: dict[str, Harm] = {
    "cut": _cut,
    "delay": _delayed,
    "half-open": _half_open,
    "truncated": _truncated,
    "garbled-rtu": _garbled,
    "wrong-unit": _wrong_unit,
    "late-rtu": _a_little_late,
    "exception": _exception,
    "noise": _noise,
    "slow-bytes": _slow_bytes,
    "twice": _twice,
}


class RtuProxy(ModbusProxy):
    """Stands before a gateway that passes RTU frames on as they are."""

    known = RTU_HARMS

    @staticmethod
    async def request(reader: asyncio.StreamReader) -> bytes:
        """Read one whole request."""
        head = await reader.readexactly(7)
        return head + await reader.readexactly(1 if head[1] in _READS else head[6] + 2)

    @staticmethod
    async def answer(reader: asyncio.StreamReader) -> bytes:
        """Read one whole answer."""
        head = await reader.readexactly(3)
        if head[1] & 0x80:
            return head + await reader.readexactly(2)
        return head + await reader.readexactly(head[2] + 2 if head[1] in _READS else 5)

    @staticmethod
    def written(request: bytes) -> tuple[int, int, bytes] | None:
        """Return what a request writes: unit, address and words; None where it only reads, or no meter would obey.

        A stranger on a busy machine may try a port that was somebody else's a moment ago, in Modbus TCP: the high
        byte of its transaction would be unit 0, and its low byte no function that reads.
        """
        if request[1] in _READS or crc16(request[:-2]) != request[-2:]:
            return None
        return request[0], int.from_bytes(request[2:4], "big"), request[7:-2]
