"""Modbus requests and answers as bytes, without I/O: what belongs to a request is taken, all else is refused.

Sources: MODBUS Application Protocol Specification V1.1b3 (functions 03, 04, 16 and exceptions), MODBUS Messaging on
TCP/IP Implementation Guide V1.0b (the MBAP header), MODBUS over Serial Line V1.02 (RTU frames and their CRC).
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from collectors.errors import RequestFailed

WRITE = 16
_LARGEST_MBAP_LENGTH = 254
_EXCEPTION_BIT = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to one unit: its PDU, and how long the PDU is that answers it."""

    unit: int
    pdu: bytes
    answer_length: int

    @property
    def function(self) -> int:
        """The function code asked for."""
        return self.pdu[0]


def read_request(*, unit: int, function: int, address: int, count: int) -> Request:
    """Ask for `count` words from a 0-based address with function 3 or 4."""
    pdu = bytes((function,)) + address.to_bytes(2, "big") + count.to_bytes(2, "big")
    return Request(unit=unit, pdu=pdu, answer_length=2 + 2 * count)


def write_request(*, unit: int, address: int, words: tuple[int, ...]) -> Request:
    """Write words from a 0-based address with function 16."""
    content = b"".join(word.to_bytes(2, "big") for word in words)
    pdu = (
        bytes((WRITE,))
        + address.to_bytes(2, "big")
        + len(words).to_bytes(2, "big")
        + bytes((len(content),))
        + content
    )
    return Request(unit=unit, pdu=pdu, answer_length=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """Bytes that are no answer to the request; `reason` says in which way."""

    reason: Literal["other", "wrong-answer", "wrong-length", "crc"]
    detail: str


class Framing(Protocol):
    """How PDUs are wrapped on a line."""

    # Whether an answer can be told from a late one to an earlier request to the same unit.
    tells_late_answers: bool
    # Whether parts of two answers can be told from one whole answer.
    has_checksum: bool

    def wrapped(self, request: Request, *, transaction: int) -> bytes:
        """Return the frame to send."""

    def taken(self, buffer: bytearray, request: Request, *, transaction: int) -> bytes | Stray | None:
        """Take the request's answer from the buffer, or something that is not; None: more bytes are needed.

        Raises RequestFailed where the line has lost its framing and only a new connection restores it.
        """


class Mbap:
    """Modbus TCP: a header with transaction id, protocol 0, length and unit."""

    tells_late_answers = True
    has_checksum = False

    def wrapped(self, request: Request, *, transaction: int) -> bytes:
        """Return the frame to send."""
        length = len(request.pdu) + 1
        return (
            transaction.to_bytes(2, "big")
            + b"\0\0"
            + length.to_bytes(2, "big")
            + bytes((request.unit,))
            + request.pdu
        )

    def taken(self, buffer: bytearray, request: Request, *, transaction: int) -> bytes | Stray | None:
        """Take the next frame; its header tells where it ends, so a header that cannot be right loses the line."""
        if len(buffer) < 7:
            return None
        length = int.from_bytes(buffer[4:6], "big")
        if buffer[2:4] != b"\0\0" or not 3 <= length <= _LARGEST_MBAP_LENGTH:
            raise RequestFailed(reason="garbled", detail=f"{bytes(buffer[:7]).hex()} is no Modbus TCP header")
        if len(buffer) < 6 + length:
            return None
        frame = bytes(buffer[: 6 + length])
        del buffer[: 6 + length]
        if (int.from_bytes(frame[:2], "big"), frame[6]) != (transaction, request.unit):
            return Stray(reason="other", detail=f"{frame[:7].hex()} belongs to another request")
        wrong = mismatch(frame[7:], request)
        return frame[7:] if wrong is None else wrong


class Rtu:
    """Modbus RTU, on a serial line or inside a TCP stream: unit, PDU and CRC, with nothing to tell where it begins.

    So the buffer is searched for the one frame that can be the answer: unit, function, length and CRC must all be
    right. What stands before it (noise, a local echo, a heartbeat, a late answer of another unit) is passed over.
    """

    tells_late_answers = False
    has_checksum = True

    def wrapped(self, request: Request, *, transaction: int) -> bytes:  # noqa: ARG002 - RTU has no transactions
        """Return the frame to send."""
        frame = bytes((request.unit,)) + request.pdu
        return frame + crc16(frame)

    def taken(self, buffer: bytearray, request: Request, *, transaction: int) -> bytes | Stray | None:  # noqa: ARG002
        """Take the answer, wherever it begins; the bytes before it go with it."""
        corrupt: Stray | None = None
        may_become_whole = False
        begin = buffer.find(request.unit)
        while begin >= 0:
            length = _answer_length(buffer, begin, request)
            frame = bytes(buffer[begin : begin + length + 3]) if length else b""
            if length and len(frame) < length + 3:
                may_become_whole = True
            elif length and crc16(frame[:-2]) == frame[-2:]:
                del buffer[: begin + len(frame)]
                return mismatch(frame[1:-2], request) or frame[1:-2]
            elif length:
                corrupt = Stray(reason="crc", detail=f"{frame.hex()} has a wrong CRC")
            begin = buffer.find(request.unit, begin + 1)
        if may_become_whole or corrupt is None:
            return None
        buffer.clear()
        return corrupt


# One of each is enough; lines that are alike are then equal.
MBAP = Mbap()
RTU = Rtu()


def _answer_length(buffer: bytearray, begin: int, request: Request) -> int:
    """Return the length of the PDU that the bytes from `begin` may hold by their function, 0 where they hold none."""
    header = buffer[begin + 1 : begin + 3]
    if not header:
        return request.answer_length
    if header[0] == request.function | _EXCEPTION_BIT:
        return 2
    if header[0] != request.function:
        return 0
    if request.function == WRITE:
        return 5
    if len(header) < 2:
        return request.answer_length
    # An odd or larger count of bytes is noise, or the request's own echo.
    count = header[1]
    return 2 + count if count % 2 == 0 and 0 < count <= 250 else 0


def mismatch(pdu: bytes, request: Request) -> Stray | None:
    """Say what keeps a PDU from being the request's answer or its exception; None where nothing does."""
    if len(pdu) == 2 and pdu[0] == request.function | _EXCEPTION_BIT:
        return None
    asked = f"unit {request.unit} was asked {request.pdu.hex()} and answered {pdu.hex()}"
    if not pdu or pdu[0] != request.function:
        return Stray(reason="wrong-answer", detail=f"{asked}: another function")
    if len(pdu) != request.answer_length:
        return Stray(reason="wrong-length", detail=f"{asked}: {len(pdu)} bytes, not {request.answer_length}")
    if request.function == WRITE and pdu != request.pdu[:5]:
        return Stray(reason="wrong-answer", detail=f"{asked}: another address or count")
    if request.function != WRITE and pdu[1] != len(pdu) - 2:
        return Stray(reason="wrong-length", detail=f"{asked}: it says {pdu[1]} bytes of data")
    return None


def exception_code(pdu: bytes) -> int | None:
    """Return the code of an exception, None for an answer."""
    return pdu[1] if pdu[0] & _EXCEPTION_BIT else None


def words_in(pdu: bytes) -> tuple[int, ...]:
    """Return the words of an answer to a read request."""
    return tuple(int.from_bytes(pdu[at : at + 2], "big") for at in range(2, len(pdu), 2))


def crc16(frame: bytes) -> bytes:
    """Return an RTU frame's check, low byte first (polynomial A001 reflected, from FFFF)."""
    check = 0xFFFF
    for byte in frame:
        check = check >> 8 ^ _CRC_TABLE[(check ^ byte) & 0xFF]
    return check.to_bytes(2, "little")


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        check = byte
        for _ in range(8):
            check = check >> 1 ^ 0xA001 if check & 1 else check >> 1
        table.append(check)
    return tuple(table)


_CRC_TABLE = _crc_table()
