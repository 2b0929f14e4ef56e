"""How a site file says that a concentrator is reached, and terminals that dial in to a running collector."""

import asyncio
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusTcpServer

from collectors.errors import BadFile
from collectors.frames import MBAP, RTU
from collectors.lines import SerialLine, TcpLine
from collectors.process import Process
from collectors.site import Site, read_site
from collectors.site_lines import Terminal
from tests.collectors.builders import free_port, serial_of, settings_for, until
from tests.collectors.simulated_meters import a_meter, devices

_HEAD = '[collector]\nid = "edge-1"\npoll_interval_s = 0.2\nrequest_timeout_s = 0.5\n'
_LISTENER = (
    '[[listeners]]\nid = "terminals"\nhost = "127.0.0.1"\nport = {port}\nregistration = \'(?P<id>\\d{{15}})\'\n'
)


def _concentrator(number: int, *keys: str) -> str:
    meter = f'[[concentrators.meters]]\nserial = "{serial_of(number)}"\nunit = {number}\nsupply = "S{number}"\n'
    return "\n".join(["[[concentrators]]", f'id = "C{number}"', *keys, meter])


def _site(folder: Path, *parts: str) -> Site:
    path = folder / "site.toml"
    path.write_text(_HEAD + "\n".join(parts))
    return read_site(path)


def _errors(folder: Path, *parts: str) -> tuple[str, ...]:
    with pytest.raises(BadFile) as refused:
        _site(folder, *parts)
    return refused.value.errors


def test_a_site_file_knows_every_way_to_a_concentrator(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    site = _site(
        tmp_path,
        _LISTENER.format(port=5040),
        _concentrator(1, 'host = "10.0.0.17"'),
        _concentrator(2, 'transport = "rtu-over-tcp"', 'host = "10.0.0.18"', "port = 4001", "request_pause_s = 0.05"),
        _concentrator(3, 'host = "10.0.0.19"', "port = 802", 'tls_ca = "ca.pem"', 'tls_server_name = "gateway"'),
        _concentrator(
            4, 'transport = "serial"', 'device = "/dev/ttyUSB0"', 'parity = "even"', "request_timeout_s = 3"
        ),
        _concentrator(5, 'transport = "dial-in"', 'listener = "terminals"', 'terminal = "860000000000017"'),
    )
    tcp, rtu, tls, serial, terminal = (concentrator.line for concentrator in site.concentrators)
    assert isinstance(tcp, TcpLine)
    assert isinstance(rtu, TcpLine)
    assert isinstance(tls, TcpLine)
    assert (tcp.place, tcp.framing, rtu.framing, tls.framing) == ("10.0.0.17:502", MBAP, RTU, MBAP)
    assert tls.tls is not None
    assert (tls.tls.ca, tls.tls.server_name) == (tmp_path / "ca.pem", "gateway")
    assert serial == SerialLine(device="/dev/ttyUSB0", baud_rate=9600, parity="even", stop_bits=1)
    assert terminal == Terminal(listener="terminals", terminal="860000000000017")
    assert [site.timeout_s(concentrator) for concentrator in site.concentrators] == [0.5, 0.5, 0.5, 3, 0.5]
    assert [site.pause_s(concentrator) for concentrator in site.concentrators] == [0, 0.05, 0, 0, 0]
    # A site that is read again is the same site: nothing of it is taken for changed.
    assert read_site(tmp_path / "site.toml") == site


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            ['transport = "udp"'],
            "concentrators[1].transport: 'udp' is wrong; use one of tcp, rtu-over-tcp, serial, dial-in",
        ),
        (['transport = "serial"'], "concentrators[1].device: is missing; give the serial port"),
        (['transport = "serial"', 'device = "d"', 'parity = "odd?"'], "concentrators[1].parity: 'odd?' is wrong"),
        (
            ['host = "h"', 'tls_key = "k"'],
            "concentrators[1].tls_ca: is missing, and tls_key means nothing without it",
        ),
        (['host = "h"', 'tls_ca = "nowhere.pem"'], "nowhere.pem is no file; give one in PEM form"),
        (
            ['transport = "dial-in"', 'listener = "l"', 'terminal = "1"'],
            "concentrators[1].listener: 'l' is no listener; add a [[listeners]] table with this id",
        ),
    ],
)
def test_a_line_that_cannot_be_is_refused_with_place_and_remedy(tmp_path: Path, keys: list[str], told: str) -> None:
    assert any(told in error for error in _errors(tmp_path, _concentrator(1, *keys)))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("(?P<id>\\d{15})", "\\d{15}", "listeners[1].registration: '\\\\d{15}' has no group `id`"),
        ("(?P<id>\\d{15})", "(?P<id>", "is no regular expression"),
        ("port = 5040", 'port = 5040\nregistration_reply = "xyz"', "registration_reply: 'xyz' is not hex"),
        ("port = 5040", "port = 0", "listeners[1].port: 0 is wrong"),
    ],
)
def test_a_listener_that_cannot_be_is_refused_with_place_and_remedy(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    listener = _LISTENER.format(port=5040).replace(old, new)
    assert any(told in error for error in _errors(tmp_path, listener, _concentrator(1, 'host = "h"')))


def test_one_serial_port_or_terminal_for_two_concentrators_is_refused(tmp_path: Path) -> None:
    serial = ('transport = "serial"', 'device = "/dev/ttyUSB0"')
    (error,) = _errors(tmp_path, _concentrator(1, *serial), _concentrator(2, *serial))
    assert error == "concentrators[2].device: address '/dev/ttyUSB0' is there twice; each must be there once"


def test_terminals_dial_in_to_a_running_collector_which_goes_on_when_its_site_file_changes(tmp_path: Path) -> None:
    port, meters_port = free_port(), free_port()
    names = ("860000000000001", "860000000000002")

    def keys(number: int) -> tuple[str, ...]:
        return ('transport = "dial-in"', 'listener = "terminals"', f'terminal = "{names[number - 1]}"')

    async def scene() -> None:
        listener = _LISTENER.format(port=port)
        _site(tmp_path, listener, _concentrator(1, *keys(1)))
        server = ModbusTcpServer(
            devices(a_meter(1), a_meter(2)), framer=FramerType.RTU, address=("127.0.0.1", meters_port)
        )
        await server.serve_forever(background=True)
        process = Process(settings_for(f"127.0.0.1:{free_port()}", site_file=tmp_path / "site.toml"))
        work = [
            asyncio.create_task(process.run()),
            *(asyncio.create_task(_terminal(name, port=port, meters_port=meters_port)) for name in names),
        ]
        try:
            spool = process.collector.spool
            await until(lambda: spool.last_sequence("C1") >= 2)
            assert spool.last_sequence("C2") == 0
            _site(tmp_path, listener, _concentrator(1, *keys(1)), _concentrator(2, *keys(2)))
            process.reload()
            await until(lambda: spool.last_sequence("C2") >= 2)
            before = spool.last_sequence("C1")
            await until(lambda: spool.last_sequence("C1") >= before + 2)
            # A second listener on a port that is taken changes nothing; another port for the first one is taken over.
            taken = _LISTENER.format(port=meters_port).replace('id = "terminals"', 'id = "more"', 1)
            _site(tmp_path, listener, taken, _concentrator(1, *keys(1)))
            process.reload()
            await until(lambda: _reloads(process, "refused") == 1)
            before = spool.last_sequence("C2")
            await until(lambda: spool.last_sequence("C2") >= before + 2)
            _site(tmp_path, _LISTENER.format(port=free_port()), _concentrator(1, *keys(1)))
            process.reload()
            await until(lambda: _reloads(process, "taken-over") == 2)
            with pytest.raises(OSError, match="Connect call failed"):
                await asyncio.open_connection("127.0.0.1", port)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            process.close()
            await server.shutdown()  # type: ignore[no-untyped-call]

    asyncio.run(scene())


async def _terminal(name: str, *, port: int, meters_port: int) -> None:
    """Dial until the other end takes us, and carry bytes for as long as it does."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            meters, to_meters = await asyncio.open_connection("127.0.0.1", meters_port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.write(name.encode() + b"\n")
        carrying = [asyncio.create_task(_carry(reader, to_meters)), asyncio.create_task(_carry(meters, writer))]
        await asyncio.wait(carrying, return_when=asyncio.FIRST_COMPLETED)
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)
        writer.close()
        to_meters.close()
        await asyncio.sleep(0.05)


def _reloads(process: Process, outcome: str) -> float:
    told = process.metrics.registry.get_sample_value("wattledger_site_reloads_total", {"outcome": outcome})
    return told or 0.0


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(512):
        target.write(data)
