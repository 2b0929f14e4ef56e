"""Which providers there are, from the environment: `serve` is given what verifies, `payments` what charges.

WATTLEDGER_WEBHOOK_SECRETS_<NAME>   a provider of signed JSON; secrets with blanks between, the newest first
WATTLEDGER_CHARGE_URL_<NAME>        where it is asked to charge bound methods, signed with the first secret
WATTLEDGER_STRIPE_WEBHOOK_SECRETS   Stripe's `whsec_...` of this endpoint, with blanks between
WATTLEDGER_STRIPE_API_KEY           Stripe's `sk_...` or `rk_...`, for charges

A provider is known by its name in small letters, `_` written `-`: that is its channel in the ledger, and where it
delivers: /v1/webhooks/<name>.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from console.payments.port import Charges, Webhooks
from console.payments.signatures import SHORTEST_SECRET
from console.payments.signed_json import SignedCharges, SignedWebhooks
from ledger.values.errors import InvalidValue

_SECRETS, _URL = "WATTLEDGER_WEBHOOK_SECRETS_", "WATTLEDGER_CHARGE_URL_"
_STRIPE_SECRETS, _STRIPE_API = "WATTLEDGER_STRIPE_WEBHOOK_SECRETS", "WATTLEDGER_STRIPE_API_"
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,19}")
_STRIPE = "stripe"


def webhooks_in(environ: Mapping[str, str]) -> dict[str, Webhooks]:
    """Return who may tell us of payments, by name; raises InvalidValue for what is wrong, without a secret in it."""
    found: dict[str, Webhooks] = {}
    owners: dict[str, str] = {}
    for name, text in _named(environ, _SECRETS).items():
        secrets = _secrets(text, _SECRETS + name)
        for secret in secrets:
            # A signature does not say to whom: one provider's deliveries could be replayed as the other's.
            if owners.setdefault(secret, name) != name:
                raise InvalidValue(
                    f"{_SECRETS}{name} and {_SECRETS}{owners[secret]} have a secret in common; make another"
                )
        found[_code(name)] = SignedWebhooks(secrets)
    if text := environ.get(_STRIPE_SECRETS, ""):
        # The library takes a third of a second to load: only where it is used.
        from console.payments.stripe_webhooks import StripeWebhooks

        found[_STRIPE] = StripeWebhooks(_secrets(text, _STRIPE_SECRETS))
    return found


def charges_in(environ: Mapping[str, str]) -> dict[str, Charges]:
    """Return who can be asked to charge, by name; raises InvalidValue for what is wrong, without a secret in it."""
    found: dict[str, Charges] = {}
    known = _named(environ, _SECRETS)
    for name, url in _named(environ, _URL).items():
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise InvalidValue(f"{_URL}{name} is no http(s) address; give one such as https://host/path")
        if name not in known:
            raise InvalidValue(f"{_URL}{name} needs {_SECRETS}{name}, to sign what is asked")
        found[_code(name)] = SignedCharges(url, _secrets(known[name], _SECRETS + name))
    if api_key := environ.get(_STRIPE_API + "KEY"):
        from console.payments.stripe_charges import StripeCharges

        found[_STRIPE] = StripeCharges(api_key, base=environ.get(_STRIPE_API + "BASE", ""))
    return found


def is_of_a_provider(setting: str) -> bool:
    """Tell whether a setting is one of a provider's: no process is given those but the two below."""
    return setting.startswith((_SECRETS, _URL, _STRIPE_SECRETS, _STRIPE_API))


def settings_to_hear(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what `serve` needs of providers' settings: what verifies, nothing that charges."""
    return {name: value for name, value in environ.items() if name.startswith((_SECRETS, _STRIPE_SECRETS))}


def settings_to_charge(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what `payments` needs of them: where to ask, and what signs there, nothing of who is only heard."""
    asked = {name.removeprefix(_URL) for name in environ if name.startswith(_URL)}
    wanted = {prefix + name for name in asked for prefix in (_SECRETS, _URL)}
    return {name: value for name, value in environ.items() if name in wanted or name.startswith(_STRIPE_API)}


def _code(name: str) -> str:
    return name.lower().replace("_", "-")


def _named(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    found = {name.removeprefix(prefix): value for name, value in environ.items() if name.startswith(prefix) and value}
    for name in found:
        if not _NAME.fullmatch(name) or _code(name) == _STRIPE:
            raise InvalidValue(f"{prefix}{name}: a provider's name is 1 to 20 of A-Z, 0-9 and _, and not STRIPE")
    return found


def _secrets(text: str, setting: str) -> list[str]:
    secrets = text.split()
    if not secrets or any(len(one) < SHORTEST_SECRET for one in secrets):
        raise InvalidValue(
            f"{setting} has a secret of less than {SHORTEST_SECRET} characters; make one: openssl rand -hex 32"
        )
    return secrets
