"""An answer cut short, and the next one behind it: the fault campaign saw their bytes become one reading once."""

import asyncio

import pytest

from collectors.errors import RequestFailed
from collectors.modbus import Bus
from tests.collectors.builders import answer_to, stub_concentrator

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
