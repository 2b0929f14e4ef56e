"""Bytes of frames: what answers a request is taken; what else comes is no reading, nor the end of the collector."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collectors.channel import Channel
from collectors.dial_in import DialIn, ListenerPlan
from collectors.errors import RequestFailed
from collectors.frames import MBAP, RTU, Framing, Stray, crc16, exception_code, read_request, words_in, write_request
from collectors.lines import Line, SerialLine
from collectors.metrics import CollectorMetrics
from collectors.modbus import Bus
from collectors.sweep import Sweeper
from tests.collectors.builders import NOON, a_site
from tests.collectors.fuzzing import EXAMPLES

READ = read_request(unit=1, function=3, address=0, count=2)
WRITE = write_request(unit=1, address=0x57, words=(1, 1))


def _rtu(text: str) -> bytes:
    frame = bytes.fromhex(text)
    return frame + crc16(frame)


def _taken(framing: Framing, data: bytes, *, transaction: int = 1) -> bytes | Stray | None:
    return framing.taken(bytearray(data), READ, transaction=transaction)


def test_the_crc_is_that_of_the_specification() -> None:
    # MODBUS over Serial Line V1.02, appendix B: 02 07 gives 41 12 on the wire.
    assert crc16(bytes.fromhex("0207")).hex() == "4112"


def test_requests_are_wrapped_as_the_specifications_say() -> None:
    assert MBAP.wrapped(READ, transaction=0x1234).hex() == "123400000006010300000002"
    assert RTU.wrapped(READ, transaction=7).hex() == "010300000002c40b"
    assert MBAP.wrapped(WRITE, transaction=1).hex() == "00010000000b0110005700020400010001"


def test_an_answer_is_found_after_noise_an_echo_and_a_heartbeat() -> None:
    answer = _rtu("01 03 04 0001 86a3")
    for before in (b"", b"\x00\xff", RTU.wrapped(READ, transaction=1), b"heartbeat\x01\x03", _rtu("02 03 02 0005")):
        taken = _taken(RTU, before + answer)
        assert isinstance(taken, bytes)
        assert words_in(taken) == (1, 0x86A3)


def test_the_echo_of_a_request_whose_address_looks_like_a_count_is_passed_over() -> None:
    request = read_request(unit=1, function=3, address=0x0C83, count=4)
    answer = _rtu("01 03 08 0000 0000 0001 e240")
    buffer = bytearray(RTU.wrapped(request, transaction=1) + answer)
    taken = RTU.taken(buffer, request, transaction=1)
    assert isinstance(taken, bytes)
    assert words_in(taken) == (0, 0, 1, 0xE240)
    assert buffer == b""


@pytest.mark.parametrize("cut", range(1, 9))
def test_half_an_answer_is_no_answer(cut: int) -> None:
    assert _taken(RTU, _rtu("01 03 04 0001 86a3")[:-cut]) is None
    assert _taken(MBAP, bytes.fromhex("0001 0000 0007 01 03 04 0001 86a3")[:-cut]) is None


@pytest.mark.parametrize("bit", range(9 * 8))
def test_one_wrong_bit_in_an_rtu_answer_is_never_a_reading(bit: int) -> None:
    frame = bytearray(_rtu("01 03 04 0001 86a3"))
    frame[bit // 8] ^= 1 << bit % 8
    assert not isinstance(_taken(RTU, bytes(frame)), bytes)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0002 0000 0007 01 03 04 0001 86a3", "other"),  # another transaction
        ("0001 0000 0007 02 03 04 0001 86a3", "other"),  # another unit
        ("0001 0000 0007 01 04 04 0001 86a3", "wrong-answer"),  # another function
        ("0001 0000 0005 01 03 02 0001", "wrong-length"),  # fewer words
        ("0001 0000 0009 01 03 06 0001 86a3 0000", "wrong-length"),  # more words
        ("0001 0000 0007 01 03 06 0001 86a3", "wrong-length"),  # says another count than it has
        ("0001 0000 0003 01 84 02", "wrong-answer"),  # an exception to another function
    ],
)
def test_an_answer_that_belongs_to_another_request_is_refused(text: str, reason: str) -> None:
    taken = _taken(MBAP, bytes.fromhex(text))
    assert isinstance(taken, Stray)
    assert taken.reason == reason


@pytest.mark.parametrize("text", ["0001 0001 0007 01 03", "0001 0000 0000 01", "0001 0000 ffff 01"])
def test_a_header_that_cannot_be_right_loses_the_line(text: str) -> None:
    with pytest.raises(RequestFailed, match="garbled"):
        _taken(MBAP, bytes.fromhex(text).ljust(7, b"\0"))


@pytest.mark.parametrize(
    ("text", "is_answer"),
    [
        ("10 0057 0002", True),
        ("10 0057 0001", False),
        ("10 0058 0002", False),
        ("90 02", True),
        ("03 04 0001 0001", False),
    ],
)
def test_a_write_is_confirmed_by_its_own_address_and_count_only(text: str, is_answer: bool) -> None:
    taken = RTU.taken(bytearray(_rtu("01" + text)), WRITE, transaction=1)
    assert isinstance(taken, bytes) == is_answer


def test_an_exception_is_an_answer_that_holds_no_words() -> None:
    taken = _taken(RTU, _rtu("01 83 02"))
    assert isinstance(taken, bytes)
    assert exception_code(taken) == 2


class Wire:
    """A line whose other end is a function: bytes asked, bytes that come back and when."""

    place = "wire"
    key = "wire"
    quiet_s = 0.0
    timeouts_until_reopened = 12

    def __init__(self, framing: Framing, answer: Callable[[bytes, Channel], Awaitable[None]]) -> None:
        self.framing = framing
        self._answer = answer
        self.opened = 0
        self.tasks: set[asyncio.Future[None]] = set()

    async def open(self) -> Channel:
        self.opened += 1
        wire = self

        class Ours(Channel):
            def send(self, data: bytes) -> None:
                wire.tasks.add(asyncio.ensure_future(wire._answer(data, self)))

        return Ours()


def _fits(line: Line) -> Line:
    return line


async def _word(bus: Bus, address: int) -> int:
    (word,) = await bus.read(unit=1, function=3, address=address, count=1)
    return word


def test_on_a_line_without_transactions_a_late_answer_is_never_taken_for_another_question_s() -> None:
    """The meter answers each question with its address, the first one late, by more than the time-out."""
    delays = [0.15, 0.0, 0.0]

    async def answer(request: bytes, channel: Channel) -> None:
        await asyncio.sleep(delays.pop(0))
        channel.data_received(_rtu("01 03 02" + request[2:4].hex()))

    async def scene() -> None:
        bus = Bus(line=_fits(Wire(RTU, answer)), timeout_s=0.1)
        with pytest.raises(RequestFailed, match="timeout"):
            await _word(bus, 0x11)
        assert await _word(bus, 0x22) == 0x22
        assert await _word(bus, 0x33) == 0x33

    asyncio.run(scene())


def test_the_same_question_may_be_asked_again_at_once_and_its_second_answer_is_nobody_else_s() -> None:
    """Both answers to the repeated question come; the next question, to another address, must not see the second."""
    delays = [0.12, 0.05, 0.0]

    async def answer(request: bytes, channel: Channel) -> None:
        await asyncio.sleep(delays.pop(0))
        channel.data_received(_rtu("01 03 02" + request[2:4].hex()))

    async def scene() -> None:
        bus = Bus(line=Wire(RTU, answer), timeout_s=0.1)
        with pytest.raises(RequestFailed, match="timeout"):
            await _word(bus, 0x11)
        assert await _word(bus, 0x11) == 0x11
        assert await _word(bus, 0x22) == 0x22

    asyncio.run(scene())


def test_a_garbled_line_is_opened_anew_and_the_next_request_succeeds() -> None:
    async def answer(request: bytes, channel: Channel) -> None:
        garbage = wire.opened == 1
        channel.data_received(
            b"SSH-2.0-OpenSSH\r\n" if garbage else request[:4] + bytes.fromhex("0005 01 03 02 0007")
        )

    wire = Wire(MBAP, answer)

    async def scene() -> None:
        bus = Bus(line=wire, timeout_s=0.5)
        with pytest.raises(RequestFailed, match="garbled"):
            await _word(bus, 0)
        assert await _word(bus, 0) == 7
        assert wire.opened == 2

    asyncio.run(scene())


def test_bytes_without_end_are_cut_off_and_end_in_a_gap() -> None:
    async def answer(_: bytes, channel: Channel) -> None:
        while not channel.closed:
            channel.data_received(b"\x00" * 4096)
            await asyncio.sleep(0)

    async def scene() -> None:
        bus = Bus(line=Wire(RTU, answer), timeout_s=2)
        with pytest.raises(RequestFailed, match="connection-lost"):
            await _word(bus, 0)

    asyncio.run(scene())


def test_every_request_s_outcome_and_time_is_told_to_whoever_measures() -> None:
    told: list[tuple[int, str]] = []

    async def answer(request: bytes, channel: Channel) -> None:
        channel.data_received(_rtu("01 83 06" if request[3] else "01 03 02 0001"))

    async def scene() -> None:
        bus = Bus(
            line=Wire(RTU, answer), timeout_s=0.5, observe=lambda unit, outcome, _: told.append((unit, outcome))
        )
        await _word(bus, 0)
        with pytest.raises(RequestFailed, match="busy"):
            await _word(bus, 1)

    asyncio.run(scene())
    assert told == [(1, "ok"), (1, "busy")]


# Random bytes, and bytes that nearly are an answer: the right header over wrong contents, cut, doubled or mixed.
_PIECES = st.one_of(
    st.binary(max_size=40),
    st.just(bytes.fromhex("0001 0000 0007 01 03 04")),
    st.just(bytes.fromhex("01 03 04")),
    st.just(bytes.fromhex("0001 0000 0003 01 83")),
    st.just(RTU.wrapped(READ, transaction=1)),
)
_NOISE = st.lists(_PIECES, max_size=8).map(b"".join)


@settings(max_examples=EXAMPLES, deadline=None)
@given(data=_NOISE, chunk=st.integers(min_value=1, max_value=64))
@example(data=b"", chunk=1)
def test_no_bytes_whatever_are_a_reading_unless_they_are_its_answer(data: bytes, chunk: int) -> None:
    for framing in (MBAP, RTU):
        buffer = bytearray()
        for at in range(0, len(data), chunk):
            buffer += data[at : at + chunk]
            try:
                taken = framing.taken(buffer, READ, transaction=1)
            except RequestFailed:
                break
            if isinstance(taken, bytes):
                # Only what stands there whole, header and check included, is taken.
                whole = bytes.fromhex("0001 0000") + (len(taken) + 1).to_bytes(2, "big") + b"\x01" + taken
                frame = b"\x01" + taken
                assert (whole if framing is MBAP else frame + crc16(frame)) in data
                assert taken[0] in (0x03, 0x83)
                assert len(taken) == (6 if taken[0] == 0x03 else 2)


@settings(max_examples=max(10, EXAMPLES // 10), deadline=None)
@given(answers=st.lists(_NOISE, min_size=1, max_size=4), rtu=st.booleans())
def test_a_sweep_over_any_noise_whatever_brings_no_reading_and_ends(
    tmp_path_factory: pytest.TempPathFactory, answers: list[bytes], rtu: bool
) -> None:
    async def answer(_: bytes, channel: Channel) -> None:
        channel.data_received(answers[0])
        answers.append(answers.pop(0))

    async def scene(directory: Path) -> None:
        site = a_site(directory, meters_each=2)
        bus = Bus(line=Wire(RTU if rtu else MBAP, answer), timeout_s=0.004)
        sweeper = Sweeper(
            concentrator=site.concentrators[0], bus=bus, retries=1, metrics=CollectorMetrics(), now=lambda: NOON
        )
        assert await sweeper.sweep() == []
        bus.close()

    asyncio.run(scene(tmp_path_factory.mktemp("site")))


class _Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass


@settings(max_examples=EXAMPLES, deadline=None)
@given(chunks=st.lists(st.binary(max_size=64) | st.just(b"86000"), max_size=20))
def test_no_bytes_whatever_register_a_terminal_that_they_do_not_name(chunks: list[bytes]) -> None:
    async def scene() -> None:
        plan = ListenerPlan(
            id="terminals",
            host="127.0.0.1",
            port=1,
            registration=re.compile(r"(?P<id>\d{15})"),
            registration_timeout_s=1,
            registration_reply=b"",
            heartbeat_timeout_s=1,
            terminals_max=1,
        )
        listener = DialIn(plan=plan, terminals=frozenset(["860000000000001"]))
        caller = listener.caller()
        caller.connection_made(_Transport())
        for chunk in chunks:
            caller.data_received(chunk)
        named = b"".join(chunks).startswith(b"860000000000001")
        assert listener.terminals_here == (("860000000000001",) if named else ())
        assert len(caller.buffer) <= 64 * 1024

    asyncio.run(scene())


def test_a_serial_line_s_framing_is_rtu() -> None:
    assert SerialLine(device="d", baud_rate=9600, parity="none", stop_bits=1).framing is RTU
