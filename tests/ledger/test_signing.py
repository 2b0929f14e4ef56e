"""Orders are signed whole: whoever changes any field needs the private key."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.values.errors import InvalidValue
from ledger.values.signing import OrderSigner, OrderVerifier, new_signing_key_hex
from ledger.wire import RelayCommand, decode_command, encode

KEY = "1f" * 32
SIGNER = OrderSigner(KEY)
VERIFIER = OrderVerifier(SIGNER.public_key_hex)
ISSUED = datetime(2026, 3, 2, 8, tzinfo=UTC)

texts = st.text(min_size=1, max_size=30)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "schema": st.integers(0, 9),
    "order": st.uuids(),
    "sequence": st.integers(1, 2**62),
    "concentrator": texts,
    "supply": texts,
    "meter": texts,
    "action": st.sampled_from(["open", "close"]),
    "reason": texts,
    "ledger_position": st.integers(0, 2**62),
    "issued_at": instants,
    "expires_at": instants,
}


def order() -> RelayCommand:
    return RelayCommand(
        order=UUID(int=7),
        sequence=3,
        concentrator="c1",
        supply="room-1",
        meter="room-1-m",
        action="open",
        reason="credit",
        ledger_position=42,
        issued_at=ISSUED,
        expires_at=ISSUED + timedelta(minutes=5),
    )


def test_an_order_is_authentic_after_its_journey_over_the_wire() -> None:
    assert VERIFIER.is_authentic(decode_command(encode(SIGNER.signed(order()))))


def test_every_field_of_an_order_is_tried_below() -> None:
    assert set(FIELDS) == {field.name for field in msgspec.structs.fields(RelayCommand)} - {"signature"}


@pytest.mark.parametrize("name", sorted(FIELDS))
@given(data=st.data())
def test_an_order_with_a_changed_field_is_not_authentic(name: str, data: st.DataObject) -> None:
    signed = SIGNER.signed(order())
    value = data.draw(FIELDS[name].filter(lambda value: value != getattr(signed, name)))
    assert not VERIFIER.is_authentic(msgspec.structs.replace(signed, **{name: value}))


@given(st.integers(0, 511))
def test_a_signature_with_one_bit_changed_is_worth_nothing(bit: int) -> None:
    signed = SIGNER.signed(order())
    broken = bytearray.fromhex(signed.signature)
    broken[bit // 8] ^= 1 << bit % 8
    assert not VERIFIER.is_authentic(msgspec.structs.replace(signed, signature=broken.hex()))


@pytest.mark.parametrize("signature", ["", "zz", "00" * 64, "00"])
def test_what_is_no_signature_is_not_authentic_and_no_error(signature: str) -> None:
    assert not VERIFIER.is_authentic(msgspec.structs.replace(order(), signature=signature))


def test_text_moved_from_one_field_to_the_next_breaks_the_signature() -> None:
    signed = SIGNER.signed(msgspec.structs.replace(order(), concentrator="c1a", supply="b"))
    assert not VERIFIER.is_authentic(msgspec.structs.replace(signed, concentrator="c1", supply="ab"))


def test_another_keys_order_is_not_authentic() -> None:
    assert not VERIFIER.is_authentic(OrderSigner(new_signing_key_hex()).signed(order()))


@pytest.mark.parametrize("key", ["", "zz" * 32, "1f" * 31])
def test_a_key_that_is_none_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(InvalidValue, match="not 32 bytes in hex") as caught:
        OrderSigner(key)
    assert not key or key not in str(caught.value)
