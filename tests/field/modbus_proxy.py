"""A gateway gone bad: between collector and meters, whole frames in, all kinds of harm out, by a seeded plan."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

# What a request was answered to, its answer, and where to write it.
Harm = Callable[[random.Random, bytes, asyncio.StreamWriter], Awaitable[bool]]

_WRITE = 0x10


async def _cut(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    return False


async def _delayed(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    await asyncio.sleep(chance.uniform(0.01, 0.07))
    out.write(answer)
    return True


async def _half_open(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    await asyncio.sleep(3600)
    return False


async def _truncated(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    out.write(answer[: chance.randrange(len(answer))])
    return chance.random() < 0.5


async def _garbled_head(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    """Modbus TCP has no checksum of its own: what is garbled here is what its frames can show."""
    at = chance.choice((0, 1, 4, 5, 6, 7))
    out.write(answer[:at] + bytes((answer[at] ^ 1 << chance.randrange(8),)) + answer[at + 1 :])
    return True


async def _wrong_unit(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    out.write(answer[:6] + bytes((answer[6] % 247 + 1,)) + answer[7:])
    return True


async def _wrong_transaction(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    other = (int.from_bytes(answer[:2], "big") + chance.choice((-1, 1, 256))) % 65_536
    out.write(other.to_bytes(2, "big") + answer[2:])
    return True


async def _late(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    """The answer comes when nobody waits for it any more, perhaps between the next request and its answer."""

    async def deliver() -> None:
        await asyncio.sleep(chance.uniform(0.1, 0.35))
        with suppress(OSError, RuntimeError):
            out.write(answer)

    _tasks.add(task := asyncio.create_task(deliver()))
    task.add_done_callback(_tasks.discard)
    return True


async def _exception(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    code = chance.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 255))
    out.write(answer[:4] + b"\x00\x03" + answer[6:7] + bytes((answer[7] | 0x80, code)))
    return True


async def _slow_bytes(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    for byte in answer:
        out.write(bytes((byte,)))
        await asyncio.sleep(chance.uniform(0, 0.012))
    return True


async def _twice(chance: random.Random, answer: bytes, out: asyncio.StreamWriter) -> bool:
    out.write(answer + answer)
    return True


HARMS: dict[str, Harm] = {
    "cut": _cut,
    "delay": _delayed,
    "half-open": _half_open,
    "truncated": _truncated,
    "garbled": _garbled_head,
    "wrong-unit": _wrong_unit,
    "wrong-transaction": _wrong_transaction,
    "late": _late,
    "exception": _exception,
    "slow-bytes": _slow_bytes,
    "twice": _twice,
}
_tasks: set["asyncio.Task[None]"] = set()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(6)
    return head + await reader.readexactly(int.from_bytes(head[4:6], "big"))


class ModbusProxy:
    """Stands before one concentrator; `harms` and `rate` decide what becomes of answers until `heal`."""

    known = HARMS
    request = staticmethod(_frame)
    answer = staticmethod(_frame)

    def __init__(self, *, target_port: int, chance: random.Random, harms: list[str], rate: float) -> None:
        self._target_port = target_port
        self._chance = chance
        self._harms = harms
        self._rate = rate
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0
        self.done: dict[str, int] = {}
        # Every write that went through: unit, address and words as they were sent.
        self.writes: list[tuple[int, int, bytes]] = []

    @staticmethod
    def written(request: bytes) -> tuple[int, int, bytes] | None:
        """Return what a request writes: unit, address and words; None where it only reads."""
        if request[7] != _WRITE:
            return None
        return request[6], int.from_bytes(request[8:10], "big"), request[13:]

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def heal(self) -> None:
        """Do no more harm, and drop the connections that are in it."""
        self._rate = 0.0
        for task in list(self._connections):
            task.cancel()

    async def stop(self) -> None:
        self.heal()
        if self._server is not None:
            self._server.close()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._relay(reader, writer)
        self._connections.discard(task)
        writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        meters_in, meters_out = await asyncio.open_connection("127.0.0.1", self._target_port)
        try:
            while True:
                request = await self.request(reader)
                if (written := self.written(request)) is not None:
                    self.writes.append(written)
                meters_out.write(request)
                answer = await self.answer(meters_in)
                if not await self._answered(answer, writer):
                    return
        finally:
            meters_out.close()

    async def _answered(self, answer: bytes, writer: asyncio.StreamWriter) -> bool:
        if not self._harms or self._chance.random() >= self._rate:
            writer.write(answer)
            return True
        # A half-open line keeps the bus busy for three time-outs: fewer of those leave room for more of the rest.
        name = self._chance.choice(self._harms)
        if name == "half-open":
            name = self._chance.choice(self._harms)
        self.done[name] = self.done.get(name, 0) + 1
        return await self.known[name](self._chance, answer, writer)
