"""A bad line to the broker. Addresses in the broker's answers are made to lead back here, so nobody goes round it."""

import asyncio
import random
from contextlib import suppress

HARMS = ("cut", "delay", "half-open", "truncated", "slow-bytes")


class KafkaProxy:
    """Stands before a broker; does harm to one answer in so many until `heal`."""

    def __init__(self, *, broker_port: int, chance: random.Random, harms: list[str], rate: float) -> None:
        self._broker_port = broker_port
        self._chance = chance
        self._harms = harms
        self._rate = rate
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0
        self.done: dict[str, int] = {}

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
            broker_in, broker_out = await asyncio.open_connection("127.0.0.1", self._broker_port)
            requests = asyncio.create_task(_copied(reader, broker_out))
            try:
                await self._answers(broker_in, writer)
            finally:
                requests.cancel()
                broker_out.close()
        self._connections.discard(task)
        writer.close()

    async def _answers(self, broker_in: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs = b"127.0.0.1" + self._broker_port.to_bytes(4, "big")
        ours = b"127.0.0.1" + self.port.to_bytes(4, "big")
        while True:
            head = await broker_in.readexactly(4)
            body = await broker_in.readexactly(int.from_bytes(head, "big"))
            if not await self._given(head + body.replace(theirs, ours), writer):
                return

    async def _given(self, answer: bytes, writer: asyncio.StreamWriter) -> bool:
        if not self._harms or self._chance.random() >= self._rate:
            writer.write(answer)
            return True
        name = self._chance.choice(self._harms)
        self.done[name] = self.done.get(name, 0) + 1
        match name:
            case "delay":
                await asyncio.sleep(self._chance.uniform(0.02, 0.3))
                writer.write(answer)
            case "half-open":
                await asyncio.sleep(3600)
            case "truncated":
                writer.write(answer[: self._chance.randrange(len(answer))])
                return False
            case "slow-bytes":
                for start in range(0, len(answer), 16):
                    writer.write(answer[start : start + 16])
                    await asyncio.sleep(self._chance.uniform(0, 0.004))
            case _:
                return False
        return True


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()
