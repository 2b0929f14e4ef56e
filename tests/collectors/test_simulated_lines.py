"""What stands in for meters stands behind every kind of line, so that each can be tried without hardware."""

import asyncio
import re
import time
from pathlib import Path

import pytest

from collectors.errors import BadFile, CollectorError, RequestFailed
from collectors.lines import SerialLine
from collectors.modbus import Bus
from collectors.simulator.run import simulating
from collectors.simulator.terminal import packet_for
from collectors.site import Site, read_site
from collectors.site_check import check_site
from tests.collectors.builders import free_ports, serial_of
from tests.collectors.certificates import certificates
from tests.collectors.test_lines import a_plan

_PACKETS = (r"IMEI:{id}\r\n", "{id}")


def _site(folder: Path) -> Site:
    """Write a site with a concentrator of two meters on each kind of line, three of them terminals on two ports."""
    certificates(folder / "tls")
    plain, rtu, tls, terminals, secure = free_ports(5)
    files = 'tls_ca = "tls/ca.pem"\ntls_certificate = "tls/edge.pem"\ntls_key = "tls/edge.key"'
    here = 'host = "127.0.0.1"\nport = '
    lines = [
        f"{here}{plain}",
        f'transport = "rtu-over-tcp"\n{here}{rtu}',
        f"{here}{tls}\n{files}",
        f'transport = "serial"\ndevice = "{folder}/bus-1"',
        'transport = "dial-in"\nlistener = "terminals"\nterminal = "860000000000001"',
        'transport = "dial-in"\nlistener = "terminals"\nterminal = "860000000000002"',
        'transport = "dial-in"\nlistener = "secure"\nterminal = "860000000000003"',
    ]
    text = '[collector]\nid = "edge-1"\nrequest_timeout_s = 0.5\nrequest_retries = 0\n'
    text += f"[[listeners]]\nid = \"terminals\"\n{here}{terminals}\nregistration = '(?P<id>\\d{{15}})'\n"
    text += f"[[listeners]]\nid = \"secure\"\n{here}{secure}\nregistration = 'IMEI:(?P<id>\\d+)\\r\\n'\n"
    text += f'registration_reply = "4f4b"\nheartbeat_timeout_s = 0.3\n{files}\n'
    for number, line in enumerate(lines, start=1):
        text += f'[[concentrators]]\nid = "C{number}"\n{line}\n'
        for unit in (1, 2):
            supply = 2 * number + unit - 2
            text += f'[[concentrators.meters]]\nserial = "{serial_of(supply)}"\nunit = {unit}\nsupply = "S{supply}"\n'
    (folder / "site.toml").write_text(text)
    return read_site(folder / "site.toml")


def test_every_kind_of_line_is_simulated_and_a_check_waits_no_longer_than_for_the_last_terminal(
    tmp_path: Path,
) -> None:
    site = _site(tmp_path)

    async def scene() -> None:
        async with simulating(site=site, packets=_PACKETS):
            for _ in range(2):  # Terminals that were hung up on dial in again, a serial port is opened again.
                began_s = time.monotonic()
                checks = await check_site(site, wait_s=30)
                assert [(check.meter.serial, check.problem) for check in checks if check.problem] == []
                assert len(checks) == 14
                assert {check.relay for check in checks} == {"closed"}
                assert time.monotonic() - began_s < 15

    asyncio.run(scene())
    assert not (tmp_path / "bus-1").is_symlink()


def test_a_simulated_serial_bus_is_switched_and_silent_where_no_meter_is(tmp_path: Path) -> None:
    site = _site(tmp_path)

    async def scene() -> None:
        async with simulating(site=site, packets=_PACKETS) as simulator:
            line = site.concentrators[3].line
            assert isinstance(line, SerialLine)
            bus = Bus(line=line, timeout_s=0.3)
            with pytest.raises(RequestFailed) as silent:
                await bus.read(unit=9, function=3, address=0, count=2)
            assert silent.value.reason == "timeout"
            await bus.write(unit=2, address=0x0057, words=(1, 1))
            assert simulator.meters[serial_of(8)].relay_open
            bus.close()

    asyncio.run(scene())


def test_a_port_left_by_a_killed_simulator_is_taken_over_and_a_real_one_never(tmp_path: Path) -> None:
    site = _site(tmp_path)

    async def scene() -> None:
        async with simulating(site=site, packets=_PACKETS):
            pass

    (tmp_path / "bus-1").symlink_to("/dev/pts/nobody")
    asyncio.run(scene())
    (tmp_path / "bus-1").write_text("a real port")
    with pytest.raises(CollectorError, match="bus-1 is there already and no simulated port"):
        asyncio.run(scene())
    assert (tmp_path / "bus-1").read_text() == "a real port"


def test_what_a_line_lacks_to_be_simulated_is_told_for_each_concentrator(tmp_path: Path) -> None:
    _site(tmp_path)
    path = tmp_path / "site.toml"
    own = 'tls_certificate = "tls/edge.pem"\ntls_key = "tls/edge.key"\n[[concentrators.meters]]'
    assert own in path.read_text()
    path.write_text(path.read_text().replace(own, "[[concentrators.meters]]"))

    async def scene() -> None:
        async with simulating(site=read_site(path)):
            pass

    with pytest.raises(BadFile) as refused:
        asyncio.run(scene())
    assert [error[:40] for error in refused.value.errors] == [
        "C3: tls_certificate is missing: in a sim",
        "C7: no registration packet that is tried",
    ]
    assert "'860000000000003' to listener 'secure'" in refused.value.errors[1]


@pytest.mark.parametrize(
    ("pattern", "packets", "sent"),
    [
        (r"(?P<id>\d{15})", (), b"860000000000001"),
        (r"(?P<id>\d{15})\r\n", (), b"860000000000001\r\n"),
        (r"\x02(?P<id>\d+)\x03", ("{id}", r"\x02{id}\x03"), b"\x02860000000000001\x03"),
        (r"ID(?P<id>\d+);", (), None),
        (r"(?P<id>\d{14})", (), None),
        (r"(?P<id>\d{15})", ("\\x",), None),
    ],
)
def test_a_terminal_says_the_packet_by_which_its_listener_knows_it(
    pattern: str, packets: tuple[str, ...], sent: bytes | None
) -> None:
    plan = a_plan(registration=re.compile(pattern))
    assert packet_for(plan=plan, terminal="860000000000001", packets=packets) == sent
