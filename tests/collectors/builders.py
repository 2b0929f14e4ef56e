"""A site, its meters and its orders, as tests need them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from collectors.settings import CollectorSettings, KafkaSettings, PublishSettings
from collectors.site import Site, read_site
from ledger import wire
from ledger.values.signing import OrderSigner, new_signing_key_hex
from tests.services.broker import is_apache

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SIGNER = OrderSigner(new_signing_key_hex())


def free_port() -> int:
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Return so many free ports, each another: all are held until the last is found."""
    with ExitStack() as held:
        listeners = [held.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]


def serial_of(supply_number: int) -> str:
    return f"{400_000_000_000 + supply_number}"


def site_text(*, ports: list[int], meters_each: int = 1, poll_interval_s: float = 0.2) -> str:
    """Write a site file: concentrators C1, C2 …, supplies S1, S2 …, units from 1 on each concentrator."""
    lines = ["[collector]", 'id = "edge-1"', f"poll_interval_s = {poll_interval_s}", "request_timeout_s = 0.3"]
    lines += ["relay_timeout_s = 1.0", "request_retries = 0"]
    number = 0
    for index, port in enumerate(ports, start=1):
        lines += ["[[concentrators]]", f'id = "C{index}"', 'host = "127.0.0.1"', f"port = {port}"]
        for unit in range(1, meters_each + 1):
            number += 1
            lines += ["[[concentrators.meters]]", f'serial = "{serial_of(number)}"', f"unit = {unit}"]
            lines += [f'supply = "S{number}"']
    return "\n".join(lines)


def a_site(directory: Path, *, ports: list[int] | None = None, meters_each: int = 1, **rest: float) -> Site:
    path = directory / "site.toml"
    path.write_text(site_text(ports=ports or [free_port()], meters_each=meters_each, **rest))
    return read_site(path)


def kafka_settings(bootstrap: str) -> KafkaSettings:
    """Make quick settings for the broker that tests run on."""
    return KafkaSettings(
        bootstrap=bootstrap,
        idempotence=is_apache(),
        request_timeout_s=5.0,
        watch_interval_s=0.2,
        reconnect_pause_s=0.2,
    )


def settings_for(bootstrap: str, *, site_file: Path = Path("site.toml"), **publish: float) -> CollectorSettings:
    quick = {"ack_timeout_s": 1.0, "ack_timeout_max_s": 2.0, "link_silence_s": 3.0} | publish
    return CollectorSettings(
        kafka=kafka_settings(bootstrap),
        publish=PublishSettings(window=int(quick.pop("window", 64)), **quick),
        site_file=site_file,
        spool=None,
        order_public_key=SIGNER.public_key_hex,
        metrics_host="127.0.0.1",
        metrics_port=0,
    )


def an_order(
    action: wire.RelayAction = "open",
    *,
    supply: int = 1,
    sequence: int = 1,
    meter: str | None = None,
    concentrator: str = "C1",
    issued_at: datetime | None = None,
    lifetime_s: float = 60.0,
    signer: OrderSigner = SIGNER,
) -> wire.RelayCommand:
    """Sign an order for a supply of `a_site`, issued now unless said otherwise."""
    issued = issued_at or datetime.now(UTC)
    return signer.signed(
        wire.RelayCommand(
            order=uuid4(),
            sequence=sequence,
            concentrator=concentrator,
            supply=f"S{supply}",
            meter=meter or serial_of(supply),
            action=action,
            reason="credit-exhausted",
            ledger_position=17,
            issued_at=issued,
            expires_at=issued + timedelta(seconds=lifetime_s),
        )
    )


async def until(condition: Callable[[], bool], *, within_s: float = 30.0) -> None:
    """Return as soon as a condition holds; fails when it does not hold in time."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


Answering = Callable[[bytes], Awaitable[bytes | None]]


@asynccontextmanager
async def stub_concentrator(answer: Answering, *, port: int = 0) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve raw Modbus TCP: every request's bytes are kept, `answer` says what goes back (None: nothing)."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                header = await reader.readexactly(6)
                request = header + await reader.readexactly(int.from_bytes(header[4:6], "big"))
                requests.append(request)
                response = await answer(request)
                if response is not None:
                    writer.write(response)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1], requests
    finally:
        server.close()


def answer_to(request: bytes, pdu: str) -> bytes:
    """Wrap a response PDU, in hex, in the MBAP header that belongs to a request."""
    body = bytes.fromhex(pdu)
    return request[0:4] + (len(body) + 1).to_bytes(2, "big") + request[6:7] + body
