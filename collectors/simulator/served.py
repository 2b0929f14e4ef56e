"""A concentrator's meters served on the line that its site file names: TCP, TLS, a serial port, a terminal."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

from pymodbus.server import ModbusTcpServer

from collectors.dial_in import ListenerPlan
from collectors.errors import CollectorError
from collectors.frames import RTU
from collectors.lines import SerialLine, TcpLine
from collectors.simulator.concentrator import bus_server, gateway_server
from collectors.simulator.face import Face
from collectors.simulator.meter import SimulatedMeter
from collectors.simulator.serial_port import pseudo_port
from collectors.simulator.terminal import SimulatedTerminal, packet_for
from collectors.site import Concentrator
from collectors.site_lines import Terminal

Meters = list[tuple[SimulatedMeter, Face]]
Plans = Mapping[str, ListenerPlan]


def problem_with(concentrator: Concentrator, *, plans: Plans, packets: tuple[str, ...]) -> str:
    """Say why a concentrator's line cannot be simulated, "" where it can."""
    line = concentrator.line
    if isinstance(line, SerialLine):
        return ""
    tls = line.tls if isinstance(line, TcpLine) else plans[line.listener].tls
    if tls is not None and tls.certificate is None:
        return "tls_certificate is missing: in a simulation both ends show it, so name one of the authority in tls_ca"
    if isinstance(line, Terminal) and _packet(line, plans, packets) is None:
        return (
            f"no registration packet that is tried names {line.terminal!r} to listener {line.listener!r}; "
            "give the terminal's own with --registration, {id} standing for its name"
        )
    return ""


@asynccontextmanager
async def served(
    concentrator: Concentrator,
    *,
    meters: Meters,
    catch_up: Callable[[], None],
    plans: Plans,
    packets: tuple[str, ...],
) -> AsyncIterator[None]:
    """Serve a concentrator's meters for as long as the block runs; raises CollectorError where that cannot be."""
    line = concentrator.line
    async with AsyncExitStack() as stack:
        if isinstance(line, TcpLine):
            server = gateway_server(
                host=line.host,
                port=line.port,
                rtu=line.framing is RTU,
                context=line.tls.context(server=True) if line.tls else None,
                meters=meters,
                catch_up=catch_up,
            )
            await stack.enter_async_context(_listening(server, f"{concentrator.id}: cannot listen on {line.place}"))
        else:
            bus = bus_server(meters=meters, catch_up=catch_up)
            await stack.enter_async_context(_listening(bus, f"{concentrator.id}: cannot listen on 127.0.0.1"))
            port = int(cast(asyncio.Server, bus.transport).sockets[0].getsockname()[1])
            if isinstance(line, SerialLine):
                await stack.enter_async_context(pseudo_port(device=line.device, bus_port=port))
            else:
                await stack.enter_async_context(_running(_terminal(line, port, plans, packets)))
        yield


def _terminal(line: Terminal, bus_port: int, plans: Plans, packets: tuple[str, ...]) -> SimulatedTerminal:
    plan = plans[line.listener]
    return SimulatedTerminal(
        name=line.terminal,
        plan=plan,
        packet=_packet(line, plans, packets) or b"",
        bus_port=bus_port,
        context=plan.tls.context() if plan.tls else None,
    )


def _packet(line: Terminal, plans: Plans, packets: tuple[str, ...]) -> bytes | None:
    return packet_for(plan=plans[line.listener], terminal=line.terminal, packets=packets)


@asynccontextmanager
async def _listening(server: ModbusTcpServer, problem: str) -> AsyncIterator[None]:
    try:
        await server.serve_forever(background=True)
    except RuntimeError:
        raise CollectorError(f"{problem}; free it or change the site") from None
    try:
        yield
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def _running(terminal: SimulatedTerminal) -> AsyncIterator[None]:
    task = asyncio.create_task(terminal.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
