import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.decode import hex_of, meter_number, milliwh, number, relay_state, words_of
from collectors.errors import DecodeError
from collectors.profile import EnergyRegister, load_profile

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


def test_a_count_at_the_modulus_is_no_energy() -> None:
    register = EnergyRegister(
        name="total", address=0, kind="u32", confidence="1S", milliwh_per_count=10_000, modulus_counts=100_000_000
    )
    assert milliwh(words_of(99_999_999, kind="u32"), register=register) == 999_999_990_000
    with pytest.raises(DecodeError, match="not below its modulus of 100000000"):
        milliwh(words_of(100_000_000, kind="u32"), register=register)


def test_a_meter_number_keeps_its_leading_zeros() -> None:
    assert meter_number((0x0000, 0x0000, 0x0101)) == "000000000101"


def test_a_nibble_above_nine_is_no_meter_number() -> None:
    with pytest.raises(DecodeError, match="no BCD number"):
        meter_number((0x000A, 0, 0))


def test_a_missing_word_is_never_a_small_number() -> None:
    with pytest.raises(DecodeError, match="u32 takes 2 words, 1 came: 0005"):
        number((5,), kind="u32")


def test_only_the_relays_own_bit_tells_its_state() -> None:
    relay = load_profile("acrel_ddsy1352").relay
    assert relay is not None
    assert relay_state(0xFFFE, relay=relay) == "closed"
    assert relay_state(0x0001, relay=relay) == "open"


def test_evidence_is_four_hex_digits_a_word() -> None:
    assert hex_of((0x0001, 0x86A3)) == "000186a3"
