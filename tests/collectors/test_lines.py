"""Every way to a concentrator carries the same requests: RTU in TCP, a serial port, TLS, a terminal that dials in."""

import asyncio
import os
import re
import ssl
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer, ModbusTlsServer

from collectors.dial_in import DialIn, ListenerPlan
from collectors.errors import CollectorError, RequestFailed
from collectors.lines import DialInLine, SerialLine, tcp
from collectors.modbus import Bus
from tests.collectors.builders import free_port, until
from tests.collectors.certificates import certificates
from tests.collectors.simulated_meters import a_meter, devices

ENERGY = (1, 0x86A3)  # 1 000.03 kWh of 0.01 kWh
_REGISTRATION = re.compile(r"(?P<id>\d{15})")
_TERMINALS = ("860000000000001", "860000000000002")


@asynccontextmanager
async def _serving(server: ModbusTcpServer | ModbusSerialServer) -> AsyncIterator[None]:
    await server.serve_forever(background=True)
    try:
        yield
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


async def _energy(bus: Bus, unit: int = 1) -> tuple[int, ...]:
    return await bus.read(unit=unit, function=3, address=0, count=2)


async def _read_and_switch(bus: Bus) -> tuple[tuple[int, ...], tuple[int, ...]]:
    energy = await _energy(bus)
    await bus.write(unit=1, address=0x0057, words=(1, 1))
    return energy, await bus.read(unit=1, function=3, address=0x0022, count=1)


async def _reason(read: Awaitable[object]) -> str:
    with pytest.raises(RequestFailed) as failed:
        await read
    return failed.value.reason


def test_rtu_frames_go_through_a_tcp_gateway() -> None:
    async def scene() -> None:
        port = free_port()
        server = ModbusTcpServer(devices(a_meter(1)), framer=FramerType.RTU, address=("127.0.0.1", port))
        async with _serving(server):
            bus = Bus(line=tcp(host="127.0.0.1", port=port, rtu=True), timeout_s=1)
            assert await _read_and_switch(bus) == (ENERGY, (1,))
            assert await _reason(bus.read(unit=1, function=3, address=0x200, count=1)) == "illegal-address"
            bus.close()

    asyncio.run(scene())


def test_a_serial_port_is_read_and_switched_and_opened_again_after_it_was_lost() -> None:
    async def scene() -> None:
        ours, theirs = os.openpty()
        for end in (ours, theirs):
            tty.setraw(end)
        other_ours, other_theirs = os.openpty()
        for end in (other_ours, other_theirs):
            tty.setraw(end)
        pump = [asyncio.create_task(_pump(ours, other_ours)), asyncio.create_task(_pump(other_ours, ours))]
        server = ModbusSerialServer(devices(a_meter(1)), port=os.ttyname(other_theirs), framer=FramerType.RTU)
        async with _serving(server):
            line = SerialLine(device=os.ttyname(theirs), baud_rate=9600, parity="none", stop_bits=1)
            bus = Bus(line=line, timeout_s=1)
            assert await _read_and_switch(bus) == (ENERGY, (1,))
            bus.close()
            assert await _energy(bus) == ENERGY
            bus.close()
        for task in pump:
            task.cancel()
        await asyncio.gather(*pump, return_exceptions=True)
        for end in (ours, theirs, other_ours, other_theirs):
            os.close(end)

    asyncio.run(scene())


async def _pump(source: int, target: int) -> None:
    """Carry bytes from one pseudo-terminal to the other: the wire between two serial ports."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    loop.add_reader(source, lambda: queue.put_nowait(os.read(source, 4096)))
    try:
        while True:
            os.write(target, await queue.get())
    finally:
        loop.remove_reader(source)


def test_a_serial_port_that_is_not_there_is_a_gap_with_its_name() -> None:
    async def scene() -> None:
        bus = Bus(line=SerialLine(device="/dev/nowhere", baud_rate=9600, parity="even", stop_bits=1), timeout_s=1)
        with pytest.raises(RequestFailed, match="/dev/nowhere cannot be reached"):
            await _energy(bus)

    asyncio.run(scene())


def test_a_serial_line_is_silent_between_requests_for_three_and_a_half_characters() -> None:
    quiet = {
        rate: SerialLine(device="d", baud_rate=rate, parity="none", stop_bits=1).quiet_s for rate in (2400, 115_200)
    }
    assert quiet == {2400: 38.5 / 2400, 115_200: 0.001_75}


def test_a_gateway_in_tls_is_read_and_one_whose_certificate_is_not_of_our_authority_is_not(tmp_path: Path) -> None:
    tls = certificates(tmp_path / "ours")
    foreign = certificates(tmp_path / "theirs")

    async def scene() -> None:
        port = free_port()
        context = tls.context(server=True)
        server = ModbusTlsServer(
            devices(a_meter(1)), sslctx=context, framer=FramerType.SOCKET, address=("127.0.0.1", port)
        )
        async with _serving(server):
            bus = Bus(line=tcp(host="127.0.0.1", port=port, tls=tls), timeout_s=2)
            assert await _read_and_switch(bus) == (ENERGY, (1,))
            bus.close()
            wrong = Bus(line=tcp(host="127.0.0.1", port=port, tls=foreign), timeout_s=2)
            with pytest.raises(RequestFailed, match="certificate verify failed"):
                await _energy(wrong)
            plain = Bus(line=tcp(host="127.0.0.1", port=port), timeout_s=1)
            assert await _reason(_energy(plain)) in ("connection-lost", "garbled", "timeout")
            plain.close()

    asyncio.run(scene())


def a_plan(**changes: object) -> ListenerPlan:
    facts: dict[str, object] = {
        "id": "terminals",
        "host": "127.0.0.1",
        "port": free_port(),
        "registration": _REGISTRATION,
        "registration_timeout_s": 5.0,
        "registration_reply": b"",
        "heartbeat_timeout_s": 60.0,
        "terminals_max": 10,
    }
    return ListenerPlan(**(facts | changes))  # type: ignore[arg-type]


class Terminal:
    """A GPRS terminal: dials in, says who it is, and passes bytes between us and the RTU line behind it."""

    def __init__(
        self, *, name: str, listener_port: int, meters_port: int, context: ssl.SSLContext | None = None
    ) -> None:
        self._name, self._listener_port, self._meters_port, self._context = name, listener_port, meters_port, context
        self._tasks: list[asyncio.Task[None]] = []

    async def dial(self, *, in_pieces: bool = False) -> None:
        reader, self.writer = await asyncio.open_connection("127.0.0.1", self._listener_port, ssl=self._context)
        meters, to_meters = await asyncio.open_connection("127.0.0.1", self._meters_port)
        for piece in [self._name[:7], self._name[7:]] if in_pieces else [self._name]:
            self.writer.write(piece.encode())
            await asyncio.sleep(0.02)
        self._tasks = [
            asyncio.create_task(_carry(reader, to_meters)),
            asyncio.create_task(_carry(meters, self.writer)),
        ]

    def beat(self) -> None:
        self.writer.write(b"\xfe\x01\x03heartbeat\x02\x03\x04")

    async def hang_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.writer.close()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(512):
        target.write(data)


Dialled = Callable[[DialIn, list[Terminal]], Awaitable[None]]


async def _with_terminals(scene: Dialled, *, plan: ListenerPlan, context: ssl.SSLContext | None = None) -> list[str]:
    """Run a scene with two terminals, each before a meter of its own; returns why callers were refused."""
    refused: list[str] = []
    listener = DialIn(plan=plan, terminals=frozenset(_TERMINALS), refused=refused.append)
    await listener.start()
    ports = [free_port(), free_port()]
    meters = [a_meter(1), a_meter(1, total_milliwh=20_000)]
    servers = [
        ModbusTcpServer(devices(meter), framer=FramerType.RTU, address=("127.0.0.1", port))
        for meter, port in zip(meters, ports, strict=True)
    ]
    terminals = [
        Terminal(name=name, listener_port=listener.port, meters_port=port, context=context)
        for name, port in zip(_TERMINALS, ports, strict=True)
    ]
    async with _serving(servers[0]), _serving(servers[1]):
        try:
            await scene(listener, terminals)
        finally:
            await listener.stop()
            for terminal in terminals:
                if hasattr(terminal, "writer"):
                    await terminal.hang_up()
    return refused


def _buses(listener: DialIn, timeout_s: float = 1.0) -> list[Bus]:
    return [Bus(line=DialInLine(listener=listener, terminal=name), timeout_s=timeout_s) for name in _TERMINALS]


def test_many_terminals_dial_in_to_one_port_and_each_is_read_as_the_one_that_it_is() -> None:
    async def scene(listener: DialIn, terminals: list[Terminal]) -> None:
        first, second = _buses(listener)
        with pytest.raises(RequestFailed, match=r"no-connection.*terminal 860000000000001 has not dialled in"):
            await _energy(first)
        await terminals[0].dial()
        await terminals[1].dial(in_pieces=True)
        await until(lambda: listener.terminals_here == _TERMINALS)
        assert await _read_and_switch(first) == (ENERGY, (1,))
        assert await _energy(second) == (0, 2)

    assert asyncio.run(_with_terminals(scene, plan=a_plan())) == []


def test_heartbeats_between_and_amid_answers_are_passed_over() -> None:
    async def scene(listener: DialIn, terminals: list[Terminal]) -> None:
        await terminals[0].dial()
        await until(lambda: listener.terminals_here == _TERMINALS[:1])
        bus, _ = _buses(listener)
        for _ in range(400):
            terminals[0].beat()
        await asyncio.sleep(0.05)
        for _ in range(5):
            read = asyncio.create_task(_energy(bus))
            await asyncio.sleep(0)
            terminals[0].beat()
            assert await read == ENERGY

    assert asyncio.run(_with_terminals(scene, plan=a_plan())) == []


def test_a_terminal_that_comes_again_takes_the_place_of_its_dead_connection() -> None:
    async def scene(listener: DialIn, terminals: list[Terminal]) -> None:
        await terminals[0].dial()
        await until(lambda: listener.terminals_here == _TERMINALS[:1])
        bus, _ = _buses(listener)
        assert await _energy(bus) == ENERGY
        await terminals[0].dial()
        await asyncio.sleep(0.1)
        assert await _energy(bus) == ENERGY

    assert asyncio.run(_with_terminals(scene, plan=a_plan())) == []


def test_a_terminal_that_falls_silent_is_hung_up_on() -> None:
    async def scene(listener: DialIn, terminals: list[Terminal]) -> None:
        await terminals[0].dial()
        await until(lambda: listener.terminals_here == _TERMINALS[:1])
        await until(lambda: listener.terminals_here == ())

    assert asyncio.run(_with_terminals(scene, plan=a_plan(heartbeat_timeout_s=0.3))) == []


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"869999999999999!", "unknown-terminal"),
        (b"GET / HTTP/1.1\r\n" * 40, "no-registration"),
        (b"", "no-registration"),
    ],
)
def test_whoever_is_no_terminal_of_ours_is_hung_up_on_and_counted(sent: bytes, reason: str) -> None:
    async def scene(listener: DialIn, _: list[Terminal]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(sent)
        async with asyncio.timeout(5):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()

    assert asyncio.run(_with_terminals(scene, plan=a_plan(registration_timeout_s=0.3))) == [reason]


def test_no_more_callers_than_the_site_allows_are_let_in() -> None:
    async def scene(listener: DialIn, _: list[Terminal]) -> None:
        writers = [(await asyncio.open_connection("127.0.0.1", listener.port))[1] for _ in range(5)]
        await asyncio.sleep(0.1)
        for writer in writers:
            writer.close()

    assert asyncio.run(_with_terminals(scene, plan=a_plan(terminals_max=3))) == ["too-many"] * 2


def test_a_terminal_is_answered_where_it_wants_to_be() -> None:
    async def scene(listener: DialIn, _: list[Terminal]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(_TERMINALS[0].encode())
        assert await reader.readexactly(2) == b"OK"
        writer.close()

    assert asyncio.run(_with_terminals(scene, plan=a_plan(registration_reply=b"OK"))) == []


def test_terminals_may_dial_in_over_tls_and_must_then_show_a_certificate(tmp_path: Path) -> None:
    tls = certificates(tmp_path / "ours")

    async def scene(listener: DialIn, terminals: list[Terminal]) -> None:
        await terminals[0].dial()
        await until(lambda: listener.terminals_here == _TERMINALS[:1])
        assert await _energy(_buses(listener)[0]) == ENERGY
        nobody = ssl.create_default_context(cafile=str(tls.ca))
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await _say(listener.port, _TERMINALS[1].encode(), nobody)
        assert listener.terminals_here == _TERMINALS[:1]

    asyncio.run(_with_terminals(scene, plan=a_plan(tls=tls), context=tls.context()))


async def _say(port: int, data: bytes, context: ssl.SSLContext) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(data)
    await reader.readexactly(1)


def test_a_port_that_is_taken_is_named() -> None:
    async def scene(listener: DialIn, _: list[Terminal]) -> None:
        with pytest.raises(CollectorError, match=r"listener terminals: cannot listen on 127\.0\.0\.1:"):
            await DialIn(plan=a_plan(port=listener.port), terminals=frozenset()).start()

    asyncio.run(_with_terminals(scene, plan=a_plan()))
