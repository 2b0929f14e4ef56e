"""Providers as the environment names them; the signature scheme on its own."""

import pytest

from console.payments.providers import charges_in, webhooks_in
from console.payments.receiving import Receiver
from console.payments.running import PaymentsSettings
from ledger.values.errors import InvalidValue

GOOD = "a-secret-that-is-long"


def test_each_provider_is_known_by_its_name_as_a_code() -> None:
    environ = {
        "WATTLEDGER_WEBHOOK_SECRETS_SHOP_PAY": f"{GOOD} another-of-{GOOD}",
        "WATTLEDGER_CHARGE_URL_SHOP_PAY": "",
    }
    assert list(webhooks_in(environ)) == ["shop-pay"]
    assert charges_in(environ) == {}
    assert list(charges_in(environ | {"WATTLEDGER_CHARGE_URL_SHOP_PAY": "https://pay.example/x"})) == ["shop-pay"]


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"WATTLEDGER_WEBHOOK_SECRETS_SHOP": "short"}, "of less than 16 characters"),
        ({"WATTLEDGER_WEBHOOK_SECRETS_SHOP": f"{GOOD} short"}, "of less than 16 characters"),
        ({"WATTLEDGER_WEBHOOK_SECRETS_shop": GOOD}, "name is 1 to 20"),
        (
            {"WATTLEDGER_WEBHOOK_SECRETS_SHOP": GOOD, "WATTLEDGER_WEBHOOK_SECRETS_CARDS": f"other-{GOOD} {GOOD}"},
            "have a secret in common",
        ),
        ({"WATTLEDGER_WEBHOOK_SECRETS_STRIPE": GOOD}, "and not STRIPE"),
        ({"WATTLEDGER_STRIPE_WEBHOOK_SECRETS": f"{GOOD} short"}, "of less than 16 characters"),
        ({"WATTLEDGER_WEBHOOK_SECRETS_": GOOD}, "name is 1 to 20"),
        ({"WATTLEDGER_CHARGE_URL_SHOP": "https://pay.example"}, "needs WATTLEDGER_WEBHOOK_SECRETS_SHOP"),
        (
            {"WATTLEDGER_CHARGE_URL_SHOP": "ftp://pay.example", "WATTLEDGER_WEBHOOK_SECRETS_SHOP": GOOD},
            "no http",
        ),
    ],
)
def test_a_wrong_setting_is_named_without_its_secret(environ: dict[str, str], why: str) -> None:
    with pytest.raises(InvalidValue, match=why) as raised:
        [found_in(environ) for found_in in (webhooks_in, charges_in)]
    assert GOOD not in str(raised.value)
    assert "short" not in str(raised.value).replace("shorter", "")


def test_webhooks_need_the_key_that_hashes_references() -> None:
    with pytest.raises(InvalidValue, match="WATTLEDGER_REFERENCE_KEY is not 64 hexadecimal digits"):
        Receiver.from_environment({"WATTLEDGER_WEBHOOK_SECRETS_SHOP": GOOD})
    receiver = Receiver.from_environment(
        {"WATTLEDGER_WEBHOOK_SECRETS_SHOP": GOOD, "WATTLEDGER_REFERENCE_KEY": "5a" * 32}
    )
    assert GOOD not in repr(receiver)
    assert "5a5a" not in repr(receiver)


def test_payments_names_the_setting_that_it_lacks() -> None:
    with pytest.raises(InvalidValue, match="WATTLEDGER_DATABASE_URL"):
        PaymentsSettings.from_environment({})


def test_who_charges_needs_the_key_that_hashes_references() -> None:
    environ = {
        "WATTLEDGER_DATABASE_URL": "postgresql://nobody@nowhere/x",
        "WATTLEDGER_WEBHOOK_SECRETS_SHOP": GOOD,
        "WATTLEDGER_CHARGE_URL_SHOP": "https://pay.example/x",
    }
    with pytest.raises(InvalidValue, match="WATTLEDGER_REFERENCE_KEY is not 64 hexadecimal digits"):
        PaymentsSettings.from_environment(environ)
    settings = PaymentsSettings.from_environment(environ | {"WATTLEDGER_REFERENCE_KEY": "5a" * 32})
    assert (list(settings.providers), GOOD in repr(settings), "5a5a" in repr(settings)) == (["shop"], False, False)
