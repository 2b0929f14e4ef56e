"""One concentrator's bus over Modbus TCP: requests in series, relay orders before the next poll request."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from collectors.decode import hex_of
from collectors.errors import RequestFailed

BUSY = "busy"
ILLEGAL_ADDRESS = "illegal-address"
NO_CONNECTION = "no-connection"
_EXCEPTIONS = {
    1: "illegal-function",
    2: ILLEGAL_ADDRESS,
    3: "illegal-value",
    4: "device-failure",
    6: BUSY,
    10: "gateway-path",
    11: "gateway-silence",
}
# This many time-outs in a row, and the connection itself is in doubt: the next request opens a new one.
_TIMEOUTS_UNTIL_RECONNECT = 3


class Bus:
    """A connection to a concentrator; it is made when first needed and again after it is lost."""

    def __init__(self, *, host: str, port: int, timeout_s: float) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._orders_waiting = 0
        self._orders_done = asyncio.Event()
        self._orders_done.set()
        self._client: AsyncModbusTcpClient | None = None
        self._timeouts = 0

    def close(self) -> None:
        """Close the connection; a later request opens it again."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._timeouts = 0

    async def read(
        self, *, unit: int, function: int, address: int, count: int, urgent: bool = False
    ) -> tuple[int, ...]:
        """Read `count` words with function 3 or 4; raises RequestFailed.

        `urgent` is for relay orders: while one waits, no poll request is sent.
        """
        async with self._my_turn(urgent=urgent):
            client = await self._connected()
            read = client.read_holding_registers if function == 3 else client.read_input_registers
            answer = await self._answered(read(address, count=count, device_id=unit))
        _check(answer, unit=unit, function=function)
        if len(answer.registers) != count:
            raise RequestFailed(
                reason="wrong-length",
                detail=f"unit {unit} answered {len(answer.registers)} of {count} words at {address:#06x}",
            )
        return tuple(answer.registers)

    async def write(self, *, unit: int, address: int, words: Sequence[int]) -> None:
        """Write words with function 16, as a relay order does: always urgent; raises RequestFailed."""
        async with self._my_turn(urgent=True):
            client = await self._connected()
            answer = await self._answered(client.write_registers(address, list(words), device_id=unit))
        _check(answer, unit=unit, function=16)
        if (answer.address, answer.count) != (address, len(words)):
            raise RequestFailed(
                reason="wrong-answer",
                detail=f"unit {unit} confirmed {answer.count} words at {answer.address:#06x}, "
                f"not {hex_of(words)} at {address:#06x}",
            )

    @asynccontextmanager
    async def _my_turn(self, *, urgent: bool) -> AsyncIterator[None]:
        if urgent:
            async with self._urgently():
                yield
            return
        # One poller per bus: between this wait and a free lock nothing else can come.
        await self._orders_done.wait()
        async with self._turn:
            yield

    @asynccontextmanager
    async def _urgently(self) -> AsyncIterator[None]:
        self._orders_waiting += 1
        self._orders_done.clear()
        try:
            async with self._turn:
                yield
        finally:
            self._orders_waiting -= 1
            if self._orders_waiting == 0:
                self._orders_done.set()

    async def _connected(self) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        # Retries and reconnection are ours: the library's would hold the bus for longer than one time-out.
        client = AsyncModbusTcpClient(
            self._host, port=self._port, timeout=self._timeout_s, retries=0, reconnect_delay=0
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                connected = await client.connect()
        except (TimeoutError, OSError):
            connected = False
        if not connected:
            client.close()
            raise RequestFailed(reason=NO_CONNECTION, detail=f"{self._host}:{self._port} cannot be reached")
        self._client = client
        return client

    async def _answered(self, request: Awaitable[ModbusPDU]) -> ModbusPDU:
        try:
            async with asyncio.timeout(self._timeout_s * 1.5):
                answer = await request
        except asyncio.CancelledError:
            # The answer is still on its way; a new connection keeps it from anybody else.
            self.close()
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise RequestFailed(reason="timeout", detail="the connection was closed under the request") from None
        except (TimeoutError, ModbusException) as error:
            self._timeouts += 1
            if self._timeouts >= _TIMEOUTS_UNTIL_RECONNECT or self._client is None or not self._client.connected:
                self.close()
            raise RequestFailed(reason="timeout", detail=f"{self._host}:{self._port}: {error}") from None
        self._timeouts = 0
        return answer


def _check(answer: ModbusPDU, *, unit: int, function: int) -> None:
    """Refuse an error, and an answer that belongs to another request (its transaction id is already checked)."""
    if answer.isError():
        code = answer.exception_code
        reason = _EXCEPTIONS.get(code, f"exception-{code}")
        raise RequestFailed(reason=reason, detail=f"unit {unit} answered exception {code} to function {function}")
    if answer.dev_id != unit or answer.function_code != function:
        raise RequestFailed(
            reason="wrong-answer",
            detail=f"unit {unit} was asked for function {function}; unit {answer.dev_id} answered "
            f"function {answer.function_code}",
        )
