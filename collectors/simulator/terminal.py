"""A GPRS or 4G terminal: dials in to the collector, says who it is, beats, and carries bytes to its meters."""

import asyncio
import ssl
from dataclasses import dataclass

import structlog

from collectors.dial_in import ListenerPlan

log = structlog.get_logger(__name__)

# Tried in this order where the operator gave no packet of his own.
USUAL_PACKETS = ("{id}", r"{id}\r\n", r"{id}\n")
_HEARTBEAT = b"heartbeat"
_HEARTBEAT_MAX_S = 60.0
_PAUSE_MIN_S, _PAUSE_MAX_S = 0.5, 8.0
_CHUNK_BYTES = 512
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - listened on there, so reached here


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedTerminal:
    """One terminal; `packet` is its registration, `bus_port` the local RTU server of its meters.

    `context` is there where its listener wants TLS.
    """

    name: str
    plan: ListenerPlan
    packet: bytes
    bus_port: int
    context: ssl.SSLContext | None = None

    async def run(self) -> None:
        """Dial in again and again, with pauses that grow while nobody is there; never returns."""
        pause_s = _PAUSE_MIN_S
        while True:
            try:
                await self._call()
                pause_s = _PAUSE_MIN_S
                log.info("terminal was hung up on", terminal=self.name, dials_in_s=pause_s)
            except (OSError, EOFError) as error:
                why = str(error) or type(error).__name__
                log.warning("terminal cannot dial in", terminal=self.name, error=why, dials_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _PAUSE_MAX_S)

    async def _call(self) -> None:
        """Make one call and stay until either end hangs up; raises OSError or EOFError where there was none."""
        plan, tls = self.plan, self.plan.tls
        host = _ANYWHERE.get(plan.host, plan.host)
        name = (tls.server_name or host) if tls else None
        reader, writer = await asyncio.open_connection(host, plan.port, ssl=self.context, server_hostname=name)
        try:
            meters, to_meters = await asyncio.open_connection("127.0.0.1", self.bus_port)
        except OSError:
            writer.close()
            raise
        try:
            writer.write(self.packet)
            # The answer to the registration is for the terminal, not for the meters.
            await asyncio.wait_for(reader.readexactly(len(plan.registration_reply)), plan.registration_timeout_s)
            log.info("terminal dialled in", terminal=self.name, listener=plan.id)
            await self._carry(reader, writer, meters, to_meters)
        finally:
            writer.close()
            to_meters.close()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        meters: asyncio.StreamReader,
        to_meters: asyncio.StreamWriter,
    ) -> None:
        work = [
            asyncio.create_task(_carried(reader, to_meters)),
            asyncio.create_task(_carried(meters, writer)),
            asyncio.create_task(self._beat(writer)),
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _beat(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(min(_HEARTBEAT_MAX_S, self.plan.heartbeat_timeout_s / 3))
            writer.write(_HEARTBEAT)


async def _carried(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK_BYTES):
        target.write(data)


def packet_for(*, plan: ListenerPlan, terminal: str, packets: tuple[str, ...] = ()) -> bytes | None:
    r"""Return the first packet by which the listener knows the terminal, None where none is.

    In a packet `{id}` stands for the terminal's name, and backslashes are as in Python: `\r\n`, `\x02`.
    """
    for packet in packets or USUAL_PACKETS:
        try:
            text = packet.encode("latin-1").decode("unicode_escape").replace("{id}", terminal)
            found = plan.registration.match(text)
            if found is not None and found.group("id").strip() == terminal:
                return text.encode("latin-1")
        except UnicodeError:
            continue
    return None
