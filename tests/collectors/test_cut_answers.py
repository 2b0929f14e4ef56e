"""An answer cut short, and the next one behind it: the fault campaign saw their bytes become one reading once."""

import asyncio
from contextlib import suppress

import pytest

from collectors.errors import RequestFailed
from collectors.modbus import Bus
from tests.collectors.builders import answer_to, stub_concentrator

_SERIAL = "03 06 1000 0000 2302"
_GOOD = "03 14 000a18d2" + "00" * 16


@pytest.mark.parametrize("sent_bytes", [*range(1, 15), 28])
def test_the_rest_of_a_cut_answer_is_never_taken_from_the_next_one(sent_bytes: int) -> None:
    async def scene() -> None:
        asked = 0

        async def answer(request: bytes) -> bytes:
            nonlocal asked
            asked += 1
            whole = answer_to(request, _GOOD)
            return whole[:sent_bytes] if asked == 1 else whole

        async with stub_concentrator(answer) as (port, _):
            bus = Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=0.1)
            read = []
            for _ in range(8):
                try:
                    read.append(await bus.read(unit=1, function=3, address=0, count=10))
                except RequestFailed:
                    continue
            bus.close()
            assert read
            assert set(read) == {(0x000A, 0x18D2, *[0] * 8)}

    asyncio.run(scene())


def test_a_late_answer_never_completes_one_that_was_cut_short() -> None:
    """Modbus TCP has no checksum: the campaign saw the two become one serial, of a meter that there is not."""

    async def scene() -> None:
        requests: list[tuple[bytes, asyncio.StreamWriter]] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.IncompleteReadError, OSError):
                while True:
                    requests.append((await reader.readexactly(12), writer))
                    if len(requests) == 1:
                        continue
                    whole = answer_to(requests[-1][0], _SERIAL)
                    writer.write(whole if len(requests) > 2 else whole[:10])
                    if len(requests) == 2:
                        late, its_writer = requests[0]
                        its_writer.write(answer_to(late, _GOOD))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        bus = Bus.over_tcp(host="127.0.0.1", port=server.sockets[0].getsockname()[1], timeout_s=0.1)
        read = []
        for address, count in ((0, 10), (0x43, 3), (0x43, 3)):
            with suppress(RequestFailed):
                read.append(await bus.read(unit=1, function=3, address=address, count=count))
        bus.close()
        server.close()
        assert read == [(0x1000, 0x0000, 0x2302)]

    asyncio.run(scene())
