"""One concentrator's bus, on whatever line: requests in series, relay orders before the next poll request."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NoReturn

from collectors.channel import Channel
from collectors.errors import CollectorError, RequestFailed
from collectors.frames import Request, Stray, exception_code, read_request, words_in, write_request
from collectors.lines import Line, tcp

BUSY = "busy"
ILLEGAL_ADDRESS = "illegal-address"
ILLEGAL_VALUE = "illegal-value"
NO_CONNECTION = "no-connection"
TIMEOUT = "timeout"
_EXCEPTIONS = {
    1: "illegal-function",
    2: ILLEGAL_ADDRESS,
    3: ILLEGAL_VALUE,
    4: "device-failure",
    5: BUSY,  # "Acknowledge": it is working on it
    6: BUSY,
    10: "gateway-path",
    11: "gateway-silence",
}
# Told of every request: its unit, "ok" or the reason of its failure, and the seconds it took.
Observe = Callable[[int, str, float], None]


class Bus:
    """A line to a concentrator; it is opened when first needed and again after it is lost."""

    def __init__(self, *, line: Line, timeout_s: float, pause_s: float = 0.0, observe: Observe | None = None) -> None:
        """`timeout_s` is how long an answer may take, `pause_s` how long the line rests between two requests."""
        self._line = line
        self._timeout_s = timeout_s
        self._pause_s = max(pause_s, line.quiet_s)
        self._observe = observe
        self._turn = asyncio.Lock()
        self._orders_waiting = 0
        self._orders_done = asyncio.Event()
        self._orders_done.set()
        self._channel: Channel | None = None
        self._timeouts = 0
        self._transaction = 0
        self._free_s = 0.0
        # Units that owe us an answer on a line that cannot tell a late one: what they were asked, and until when.
        self._owing: dict[int, tuple[bytes, float]] = {}

    @classmethod
    def over_tcp(cls, *, host: str, port: int, timeout_s: float) -> "Bus":
        """Make a bus behind a Modbus TCP gateway."""
        return cls(line=tcp(host=host, port=port), timeout_s=timeout_s)

    @property
    def place(self) -> str:
        """Where the bus is, for messages."""
        return self._line.place

    def close(self) -> None:
        """Close the line; a later request opens it again."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._timeouts = 0

    async def read(
        self,
        *,
        unit: int,
        function: int,
        address: int,
        count: int,
        urgent: bool = False,
        timeout_s: float | None = None,
    ) -> tuple[int, ...]:
        """Read `count` words with function 3 or 4; raises RequestFailed.

        `urgent` is for relay orders: while one waits, no poll request is sent.
        """
        request = read_request(unit=unit, function=function, address=address, count=count)
        async with self._my_turn(urgent=urgent):
            return words_in(await self._answer(request, timeout_s or self._timeout_s))

    async def write(self, *, unit: int, address: int, words: Sequence[int], timeout_s: float | None = None) -> None:
        """Write words with function 16, as a relay order does: always urgent; raises RequestFailed."""
        request = write_request(unit=unit, address=address, words=tuple(words))
        async with self._my_turn(urgent=True):
            await self._answer(request, timeout_s or self._timeout_s)

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

    async def _answer(self, request: Request, timeout_s: float) -> bytes:
        """Return the PDU that answers a request; raises RequestFailed, for an exception too."""
        clock = asyncio.get_running_loop().time
        began_s, outcome = clock(), "cancelled"
        try:
            pdu = await self._exchange(request, timeout_s)
            _check(pdu, request)
            outcome = "ok"
            return pdu
        except RequestFailed as error:
            outcome = error.reason
            raise
        finally:
            self._free_s = clock() + self._pause_s
            if self._observe is not None:
                self._observe(request.unit, outcome, clock() - began_s)

    async def _exchange(self, request: Request, timeout_s: float) -> bytes:
        channel = await self._opened(timeout_s)
        clock = asyncio.get_running_loop().time
        await self._paid(channel, request)
        if self._free_s > clock():
            await asyncio.sleep(self._free_s - clock())
        if not self._line.framing.tells_late_answers:
            channel.discard()
        self._transaction = self._transaction % 0xFFFF + 1
        channel.send(self._line.framing.wrapped(request, transaction=self._transaction))
        answered = False
        try:
            pdu = await self._awaited(channel, request, timeout_s)
            answered = True
        except asyncio.CancelledError:
            self._abandon()
            raise
        finally:
            # A cancelled request is one whose answer is still on its way.
            if not answered:
                self._owing[request.unit] = (request.pdu, clock() + timeout_s)
        self._timeouts = 0
        return pdu

    async def _paid(self, channel: Channel, request: Request) -> None:
        """Wait out a late answer that could be taken for this request's.

        RTU frames carry no transaction: after a time-out only the very same question may follow at once, for a late
        answer to that is an answer. Any other to this unit waits until the late one must have come.
        """
        pdu, until_s = self._owing.get(request.unit, (b"", 0.0))
        left_s = until_s - asyncio.get_running_loop().time()
        if left_s <= 0:
            self._owing.pop(request.unit, None)
        elif pdu != request.pdu and not self._line.framing.tells_late_answers:
            await asyncio.sleep(left_s)
            channel.discard()
            self._owing.pop(request.unit, None)

    async def _awaited(self, channel: Channel, request: Request, timeout_s: float) -> bytes:
        stray: Stray | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    taken = self._line.framing.taken(channel.buffer, request, transaction=self._transaction)
                    if isinstance(taken, bytes):
                        return taken
                    if isinstance(taken, Stray):
                        stray = self._passed_over(taken)
                    elif channel.closed:
                        self.close()
                        raise RequestFailed(
                            reason="connection-lost", detail=f"{self.place} hung up on {_told(request)}"
                        )
                    else:
                        await channel.more()
        except TimeoutError:
            self._timed_out(request, timeout_s, stray)
        except RequestFailed as error:
            if error.reason == "garbled":
                self.close()
            raise

    def _passed_over(self, stray: Stray) -> Stray:
        """Return what may be waited after; raises RequestFailed where the answer itself has come and is none."""
        if stray.reason == "crc" or (stray.reason != "other" and self._line.framing.tells_late_answers):
            self._abandon()
            raise RequestFailed(reason=stray.reason, detail=f"{self.place}: {stray.detail}")
        return stray

    def _timed_out(self, request: Request, timeout_s: float, stray: Stray | None) -> NoReturn:
        self._timeouts += 1
        if self._timeouts >= self._line.timeouts_until_reopened:
            self.close()
        self._abandon()
        if stray is not None and stray.reason != "other":
            raise RequestFailed(reason=stray.reason, detail=f"{self.place}: {stray.detail}")
        raise RequestFailed(
            reason=TIMEOUT,
            detail=f"{self.place}: {_told(request)} was not answered in {timeout_s:g} s"
            + (f"; {stray.detail}" if stray else ""),
        )

    def _abandon(self) -> None:
        """Close a line on which an answer that is still on its way could complete one that was cut short.

        A Modbus TCP frame has no checksum: the two together would be a frame of the right length, transaction and
        unit, with a register that no meter shows. What comes late to a closed connection comes to nobody.
        """
        if not self._line.framing.has_checksum:
            self.close()

    async def _opened(self, timeout_s: float) -> Channel:
        if self._channel is not None and not self._channel.closed:
            return self._channel
        self.close()
        try:
            async with asyncio.timeout(timeout_s):
                self._channel = await self._line.open()
        except (TimeoutError, OSError, CollectorError) as error:
            detail = f"{self.place} cannot be reached: {str(error) or 'no answer in time'}"
            raise RequestFailed(reason=NO_CONNECTION, detail=detail) from None
        return self._channel


def _check(pdu: bytes, request: Request) -> None:
    """Refuse an exception."""
    code = exception_code(pdu)
    if code is not None:
        reason = _EXCEPTIONS.get(code, f"exception-{code}")
        raise RequestFailed(reason=reason, detail=f"{_told(request)} was answered with exception {code}")


def _told(request: Request) -> str:
    return f"unit {request.unit}, request {request.pdu.hex()}"
