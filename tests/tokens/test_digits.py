"""The digits against the library's decoder, for every kind of token that is issued; what it mistakes is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.tokens.digits import Secrets, grouped, token_digits
from ledger.domain.token_billing import MOST_UNITS, TokenSize
from ledger.values.errors import InvalidValue
from tests.tokens.conftest import SECRETS
from tests.tokens.meter import TokenMeter

SIZES: tuple[TokenSize, ...] = ("standard", "extended")
keys = st.builds(Secrets, st.integers(1, 999_999_999), st.binary(min_size=16, max_size=16).map(bytes.hex))


@pytest.mark.parametrize("size", SIZES)
@given(data=st.data(), secrets=keys)
def test_the_decoder_reads_what_was_vended(size: TokenSize, data: st.DataObject, secrets: Secrets) -> None:
    units = data.draw(st.integers(1, MOST_UNITS[size]))
    before = data.draw(st.integers(1, 12))
    meter = TokenMeter(secrets, count=before)
    count = before + (2 if before % 2 == 0 else 1)
    digits = token_digits(secrets, size=size, kind="add", units=units, count=count)
    assert len(digits) == (9 if size == "standard" else 12)
    assert meter.enter(digits) == "added"
    assert (meter.credit, meter.count) == (units, count)
    assert meter.enter(digits) == "used"
    assert meter.credit == units


@pytest.mark.parametrize("size", SIZES)
@given(data=st.data())
def test_the_decoder_reads_what_was_set(size: TokenSize, data: st.DataObject) -> None:
    units = data.draw(st.integers(0, MOST_UNITS[size]).filter(lambda one: size == "extended" or one < 996))
    meter = TokenMeter(SECRETS, credit=7)
    assert meter.enter(token_digits(SECRETS, size=size, kind="set", units=units, count=3)) == "set"
    assert meter.credit == units


def test_the_decoder_unlocks_and_syncs() -> None:
    meter = TokenMeter(SECRETS)
    assert meter.enter(token_digits(SECRETS, size="standard", kind="disable", units=0, count=3)) == "disabled"
    assert meter.enter(token_digits(SECRETS, size="standard", kind="counter-sync", units=0, count=71)) == "synced"
    assert meter.count == 71


@pytest.mark.parametrize(
    ("size", "kind", "units", "count", "told"),
    [
        ("standard", "add", 0, 2, "standard ones say 1 to 995"),
        ("standard", "add", -1, 2, "say 1 to 995"),
        ("standard", "add", 996, 2, "say 1 to 995"),
        ("standard", "set", 998, 3, "say 0 to 995"),
        ("extended", "add", 1_000_000, 2, "say 1 to 999999"),
        ("extended", "disable", 0, 3, "take it for one that sets"),
        ("extended", "counter-sync", 0, 3, "take it for one that sets"),
        ("standard", "disable", 1, 3, "token of 1 units is none"),
        ("standard", "add", 1, 3, "even counts add"),
        ("standard", "set", 1, 2, "odd ones do all else"),
        ("standard", "add", 1, 0, "count 0 is none"),
    ],
)
def test_what_a_meter_would_mistake_is_never_made(
    size: TokenSize, kind: str, units: int, count: int, told: str
) -> None:
    with pytest.raises(InvalidValue, match=told):
        token_digits(SECRETS, size=size, kind=kind, units=units, count=count)  # type: ignore[arg-type]


def test_digits_are_read_out_in_threes_and_secrets_are_not_shown() -> None:
    assert grouped("123456789012") == "123 456 789 012"
    assert "123456789" not in repr(SECRETS)
    assert SECRETS.key_hex not in repr(SECRETS)
