import struct
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.decode import digits, hex_of, milliwh, number, relay_state, value, words_of
from collectors.errors import DecodeError
from collectors.number_kinds import FLOATS, KINDS, SIGNED, Layout, counts_of
from collectors.profile import EnergyRegister, Quantity
from collectors.profile_library import load_profile

_TOTAL = load_profile("acrel_ddsy1352").total


@pytest.mark.parametrize(
    ("words", "kind", "value"),
    [
        ((0x0001, 0x86A3), "u32", 100_003),
        ((0xFFFF, 0xFFFF), "u32", 4_294_967_295),
        ((0xFFFF,), "u16", 65_535),
        ((0x7FFF,), "s16", 32_767),
        ((0x8000,), "s16", -32_768),
        ((0xFFFF,), "s16", -1),
        ((0x1234, 0x5678, 0x9012), "bcd48", 123_456_789_012),
    ],
)
def test_words_are_read_high_word_first(words: tuple[int, ...], kind: str, value: int) -> None:
    assert number(words, kind=kind) == value
    assert words_of(value, kind=kind) == words


def test_a_hundredth_of_a_kilowatt_hour_is_ten_thousand_milliwatt_hours() -> None:
    assert milliwh((0x0001, 0x86A3), register=_TOTAL) == 1_000_030_000


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_energy_is_exact_for_every_count(counts: int) -> None:
    assert milliwh(words_of(counts, kind="u32"), register=_TOTAL) == counts * 10_000


def _register(kind: str = "u32", **changes: Any) -> EnergyRegister:
    facts: dict[str, Any] = {"milliwh_per_count": 10_000, "modulus_counts": 100_000_000, "resolution_milliwh": 10_000}
    return EnergyRegister(name="total", address=0, kind=kind, function=3, confidence="1S", **(facts | changes))


def _serial(kind: str) -> Quantity:
    return Quantity(name="serial", address=0, kind=kind, function=3, confidence="1S")


def test_a_count_at_the_modulus_is_no_energy() -> None:
    register = _register()
    assert milliwh(words_of(99_999_999, kind="u32"), register=register) == 999_999_990_000
    with pytest.raises(DecodeError, match="not below its modulus of 100000000"):
        milliwh(words_of(100_000_000, kind="u32"), register=register)


def test_a_serial_in_bcd_keeps_its_leading_zeros() -> None:
    assert digits((0x0000, 0x0000, 0x0101), quantity=_serial("bcd48")) == "000000000101"
    assert digits((0x0000, 0x0101), quantity=_serial("u32")) == "257"


def test_a_nibble_above_nine_is_no_serial() -> None:
    with pytest.raises(DecodeError, match="no BCD number"):
        digits((0x000A, 0, 0), quantity=_serial("bcd48"))


@pytest.mark.parametrize("low_word_first", [False, True])
@pytest.mark.parametrize("low_byte_first", [False, True])
@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(FLOATS)))
@given(data=st.data())
def test_every_kind_in_every_order_reads_back_what_was_written(
    data: st.DataObject, kind: str, low_word_first: bool, low_byte_first: bool
) -> None:
    lowest = -counts_of(kind) if kind in SIGNED else 0
    shown = data.draw(st.integers(min_value=lowest, max_value=counts_of(kind) - 1))
    layout = Layout(low_word_first=low_word_first, low_byte_first=low_byte_first)
    assert number(words_of(shown, kind=kind, layout=layout), kind=kind, layout=layout) == shown


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        (Layout(), (0x0102, 0x0304)),
        (Layout(low_word_first=True), (0x0304, 0x0102)),
        (Layout(low_byte_first=True), (0x0201, 0x0403)),
        (Layout(low_word_first=True, low_byte_first=True), (0x0403, 0x0201)),
    ],
)
def test_words_and_bytes_come_in_the_device_s_own_order(layout: Layout, words: tuple[int, ...]) -> None:
    assert number(words, kind="u32", layout=layout) == 0x01020304
    assert words_of(0x01020304, kind="u32", layout=layout) == words


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_is_exactly_the_fraction_that_it_is(shown: float) -> None:
    bits = int.from_bytes(struct.pack(">f", shown), "big")
    assert number((bits >> 16, bits & 0xFFFF), kind="float32") == Fraction(shown)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float64_is_exactly_the_fraction_that_it_is(shown: float) -> None:
    bits = int.from_bytes(struct.pack(">d", shown), "big")
    assert number(tuple(bits >> at & 0xFFFF for at in (48, 32, 16, 0)), kind="float64") == Fraction(shown)


@pytest.mark.parametrize("words", [(0x7FC0, 0x0000), (0x7F80, 0x0000), (0xFF80, 0x0000), (0x7FFF, 0xFFFF)])
def test_nan_and_infinity_are_gaps_and_never_energy(words: tuple[int, ...]) -> None:
    with pytest.raises(DecodeError, match="not available"):
        milliwh(words, register=_register("float32", milliwh_per_count=1_000_000, modulus_counts=0))


def test_a_float_s_energy_is_floored_to_a_milliwatt_hour() -> None:
    register = _register("float32", milliwh_per_count=1_000_000, modulus_counts=0)
    # 0x3DCCCCCD is 0.100000001490116…, 0x3F333333 is 0.699999988079071…
    assert milliwh((0x3DCC, 0xCCCD), register=register) == 100_000
    assert milliwh((0x3F33, 0x3333), register=register) == 699_999


@pytest.mark.parametrize("words", [(0xBF80, 0x0000), (0x8000, 0x0001)])
def test_energy_below_zero_is_a_gap(words: tuple[int, ...]) -> None:
    with pytest.raises(DecodeError, match="below zero"):
        milliwh(words, register=_register("float32", milliwh_per_count=1_000_000, modulus_counts=0))
    with pytest.raises(DecodeError, match="below zero"):
        milliwh((0xFFFF, 0xFFFE), register=_register("s32", modulus_counts=2**31))


def test_more_energy_than_any_ledger_counts_is_a_gap() -> None:
    with pytest.raises(DecodeError, match="more energy than any meter counts"):
        milliwh((0x7F00, 0x0000), register=_register("float32", milliwh_per_count=1_000_000, modulus_counts=0))


def test_a_code_for_not_available_is_a_gap_and_never_energy() -> None:
    register = _register(not_available=frozenset({"ffffffff"}), modulus_counts=2**32)
    with pytest.raises(DecodeError, match="not available"):
        milliwh((0xFFFF, 0xFFFF), register=register)
    with pytest.raises(DecodeError, match="not available"):
        value((0xFFFF, 0xFFFF), quantity=register)


def test_a_ratio_multiplies_the_cumulative_register_before_it_is_floored() -> None:
    register = _register(milliwh_per_count=3, modulus_counts=2**32, multiplied_by=("ct",))
    assert milliwh((0, 3), register=register, multiplier=Fraction(1, 2)) == 4
    assert register.modulus_milliwh == 0


def test_a_missing_word_is_never_a_small_number() -> None:
    with pytest.raises(DecodeError, match="u32 takes 2 words, 1 came: 0005"):
        number((5,), kind="u32")


def test_only_the_relays_own_bit_tells_its_state() -> None:
    relay = load_profile("acrel_ddsy1352").relay
    assert relay is not None
    assert relay_state(0xFFFE, relay=relay) == "closed"
    assert relay_state(0x0001, relay=relay) == "open"


def test_a_state_word_that_the_profile_does_not_know_tells_nothing() -> None:
    relay = load_profile("hiking_dds238_2").relay
    assert relay is not None
    assert [relay_state(word, relay=relay) for word in (0, 1, 2, 0xFFFF)] == ["open", "closed", "unknown", "unknown"]


def test_evidence_is_four_hex_digits_a_word() -> None:
    assert hex_of((0x0001, 0x86A3)) == "000186a3"
