r"""The keys of a site file that say how a concentrator is reached.

    [[concentrators]]
    transport = "tcp"              # the default; "rtu-over-tcp": a gateway that passes RTU frames on
    host = "10.0.0.17"
    port = 502                     # 802 is usual with TLS
    tls_ca = "ca.pem"              # with this key the line is in TLS, and its other end must show a certificate
    tls_certificate = "edge.pem"   # of that authority; ours, which Modbus/TCP Security asks for
    tls_key = "edge.key"
    tls_server_name = "gateway-1"  # where the certificate does not name the host

    [[concentrators]]
    transport = "serial"           # Modbus RTU on a port of this machine, 8 data bits
    device = "/dev/ttyUSB0"
    baud_rate = 9600
    parity = "none"                # or even, odd
    stop_bits = 1

    [[concentrators]]
    transport = "dial-in"          # a GPRS or 4G terminal that calls us
    listener = "terminals"
    terminal = "860000000000017"   # as it names itself in its registration packet

    [[listeners]]
    id = "terminals"
    host = "0.0.0.0"
    port = 5040
    registration = '(?P<id>\d{15})'  # a regular expression on the first bytes; its group `id` is the terminal
    registration_timeout_s = 30    # who has not registered by then is hung up on
    registration_reply = ""        # hex, for terminals that want an answer
    heartbeat_timeout_s = 180      # a terminal that sent nothing for so long is gone
    terminals_max = 1000
    tls_ca = "ca.pem"              # callers must then show a certificate of this authority, and see ours
    tls_certificate = "edge.pem"
    tls_key = "edge.key"

Let the expression end on something that ends the name (a length, a line end): bytes come in pieces. Heartbeats need
no pattern: on a line of RTU frames whatever is not the answer asked for is passed over. Files are relative to the
site file.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from collectors.dial_in import ListenerPlan
from collectors.lines import Parity, SerialLine, TcpLine, tcp
from collectors.tables import Table
from collectors.tls import Tls

_TRANSPORTS = ("tcp", "rtu-over-tcp", "serial", "dial-in")
_PARITIES = ("none", "even", "odd")
_TLS_KEYS = ("tls_ca", "tls_certificate", "tls_key", "tls_server_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """A terminal that dials in to a listener of ours."""

    listener: str
    terminal: str
    key: str = "terminal"

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"{self.listener}:{self.terminal}"


def read_line(table: Table, *, folder: Path) -> TcpLine | SerialLine | Terminal:
    """Read a concentrator's line; errors are kept in the table."""
    transport = table.choice("transport", among=_TRANSPORTS, default="tcp")
    if transport == "serial":
        return SerialLine(
            device=table.text("device", remedy="give the serial port, such as /dev/ttyUSB0"),
            baud_rate=table.integer("baud_rate", minimum=300, maximum=1_000_000, default=9600),
            parity=cast(Parity, table.choice("parity", among=_PARITIES, default="none")),
            stop_bits=table.integer("stop_bits", minimum=1, maximum=2, default=1),
        )
    if transport == "dial-in":
        return Terminal(
            listener=table.text("listener", remedy="name the [[listeners]] table it dials in to"),
            terminal=table.text("terminal", remedy="give the name in its registration packet"),
        )
    return tcp(
        host=table.text("host", remedy="give its host name or address"),
        port=table.integer("port", minimum=1, maximum=65_535, default=502),
        rtu=transport == "rtu-over-tcp",
        tls=_read_tls(table, folder),
    )


def read_listener(table: Table, *, folder: Path) -> ListenerPlan:
    """Read a port for terminals; errors are kept in the table."""
    tls = _read_tls(table, folder)
    if tls is not None and tls.certificate is None:
        table.wrong("tls_certificate", "is missing; callers must see whom they reach")
    return ListenerPlan(
        id=table.code("id", remedy="name the listener, such as terminals"),
        host=table.text("host", default="0.0.0.0"),  # noqa: S104 - terminals come from outside
        port=table.integer("port", minimum=1, maximum=65_535),
        registration=_pattern(table),
        registration_timeout_s=table.seconds("registration_timeout_s", minimum=0.1, maximum=3600, default=30.0),
        registration_reply=_bytes(table, "registration_reply"),
        heartbeat_timeout_s=table.seconds("heartbeat_timeout_s", minimum=0.1, maximum=86_400, default=180.0),
        terminals_max=table.integer("terminals_max", minimum=1, maximum=20_000, default=1000),
        tls=tls,
    )


def _read_tls(table: Table, folder: Path) -> Tls | None:
    if not table.has("tls_ca"):
        for key in _TLS_KEYS:
            if table.has(key):
                table.wrong("tls_ca", f"is missing, and {key} means nothing without it; give the authority's file")
        return None
    has_own = table.has("tls_certificate") or table.has("tls_key")
    tls = Tls(
        ca=folder / table.text("tls_ca"),
        certificate=folder / table.text("tls_certificate") if has_own else None,
        key=folder / table.text("tls_key") if has_own else None,
        server_name=table.text("tls_server_name") if table.has("tls_server_name") else "",
    )
    for key, file in (("tls_ca", tls.ca), ("tls_certificate", tls.certificate), ("tls_key", tls.key)):
        if file is not None and not file.is_file():
            table.wrong(key, f"{file} is no file; give one in PEM form")
    return tls


def _pattern(table: Table) -> re.Pattern[str]:
    remedy = "write a regular expression with a group (?P<id>...) that is the terminal's name"
    text = table.text("registration", remedy=remedy)
    try:
        pattern = re.compile(text, re.DOTALL)
    except re.error as error:
        table.wrong("registration", f"{text!r} is no regular expression ({error}); {remedy}")
        return re.compile("(?P<id>)")
    if text and "id" not in pattern.groupindex:
        table.wrong("registration", f"{text!r} has no group `id`; {remedy}")
    return pattern


def _bytes(table: Table, key: str) -> bytes:
    if not table.has(key):
        return b""
    text = table.text(key, remedy="write bytes in hex, or leave it out")
    try:
        return bytes.fromhex(text)
    except ValueError:
        table.wrong(key, f"{text!r} is not hex; write two digits for each byte")
        return b""
