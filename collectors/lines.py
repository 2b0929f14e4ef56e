"""The ways to a concentrator: Modbus TCP, in TLS or not, RTU in TCP, a serial port, a terminal that dials in."""

import asyncio
from dataclasses import dataclass
from typing import Literal, Protocol

from pymodbus.transport.serialtransport import create_serial_connection
from serial import SerialException

from collectors.channel import Channel
from collectors.dial_in import DialIn
from collectors.frames import MBAP, RTU, Framing
from collectors.tls import Tls

Parity = Literal["none", "even", "odd"]
_PARITY_LETTERS = {"none": "N", "even": "E", "odd": "O"}


class Line(Protocol):
    """A way to a concentrator that can be opened again and again."""

    @property
    def place(self) -> str:
        """Where it leads, for messages."""

    @property
    def framing(self) -> Framing:
        """How requests are wrapped on it."""

    @property
    def quiet_s(self) -> float:
        """How long it must be silent between an answer and the next request."""

    @property
    def timeouts_until_reopened(self) -> int:
        """After how many time-outs in a row the line itself is in doubt and is opened anew."""

    async def open(self) -> Channel:
        """Open it; raises OSError, TimeoutError or CollectorError where that cannot be done now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpLine:
    """A gateway at a host and port, speaking Modbus TCP or, where it passes frames on as they are, RTU."""

    host: str
    port: int
    framing: Framing
    tls: Tls | None = None
    quiet_s: float = 0.0
    timeouts_until_reopened: int = 3
    key: str = "port"

    @property
    def place(self) -> str:
        """Where it leads, for messages."""
        return f"{self.host}:{self.port}"

    async def open(self) -> Channel:
        """Connect; raises OSError."""
        loop = asyncio.get_running_loop()
        if self.tls is None:
            _, channel = await loop.create_connection(Channel, self.host, self.port)
        else:
            name = self.tls.server_name or self.host
            _, channel = await loop.create_connection(
                Channel, self.host, self.port, ssl=self.tls.context(), server_hostname=name
            )
        return channel


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialLine:
    """A serial port with RTU on it; 8 data bits."""

    device: str
    baud_rate: int
    parity: Parity
    stop_bits: int
    timeouts_until_reopened: int = 12
    key: str = "device"

    @property
    def place(self) -> str:
        """Where it leads, for messages."""
        return self.device

    @property
    def quiet_s(self) -> float:
        """Three and a half characters of eleven bits (MODBUS over Serial Line §2.5.1.1), 1.75 ms at least."""
        return max(0.001_75, 38.5 / self.baud_rate)

    @property
    def framing(self) -> Framing:
        """How requests are wrapped on it."""
        return RTU

    async def open(self) -> Channel:
        """Open the port for us alone; raises OSError."""
        channel = Channel()
        try:
            await create_serial_connection(
                asyncio.get_running_loop(),
                lambda: channel,
                self.device,
                baudrate=self.baud_rate,
                bytesize=8,
                parity=_PARITY_LETTERS[self.parity],
                stopbits=self.stop_bits,
                timeout=0,
            )
        except (SerialException, ValueError) as error:
            raise OSError(str(error)) from None
        await asyncio.sleep(0)  # The transport hands itself over in the loop's next turn.
        await asyncio.sleep(0)
        return channel


@dataclass(frozen=True, slots=True, kw_only=True)
class DialInLine:
    """A terminal that dials in to one of our listeners: it is there when it has come, not when we want it."""

    listener: DialIn
    terminal: str
    quiet_s: float = 0.0
    # To hang up costs the terminal a minute of dialling, so it takes more than a few dead meters in a row.
    timeouts_until_reopened: int = 12

    @property
    def place(self) -> str:
        """Where it leads, for messages."""
        return f"terminal {self.terminal} on {self.listener.place}"

    @property
    def framing(self) -> Framing:
        """How requests are wrapped on it."""
        return RTU

    async def open(self) -> Channel:
        """Return the terminal's newest connection; raises CollectorError where it has none."""
        return self.listener.channel_of(self.terminal)


def tcp(*, host: str, port: int, rtu: bool = False, tls: Tls | None = None) -> TcpLine:
    """Make a way to a gateway: Modbus TCP unless it wants RTU frames."""
    return TcpLine(host=host, port=port, framing=RTU if rtu else MBAP, tls=tls)
