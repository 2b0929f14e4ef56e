"""What a payment provider is to us. Implement these two protocols, name it in `providers`, and that is all.

A provider reaches us twice: it tells by webhook what became of payments (`Webhooks`, in the process `serve`), and it
is asked to charge a method that a consumer bound (`Charges`, in the process `payments`). They are apart so that
neither process has secrets that it does not need; one class may be both. Neither touches the ledger: that news are
booked once, in which order, and for whom, is decided by those who call. Money is integer micro-units of the currency
(ISO 4217, capitals); for minor units see `ledger.values.money.minor_unit_micros`.

What an adapter must keep to:

- `events_of` verifies before it parses, on the raw bytes, in constant time, and refuses what was signed too long ago.
- A PaymentEvent's `event` is the provider's id of the news, the same whenever it is delivered again; its `payment` is
  the provider's id of the payment, the same in everything it ever tells of it, and in the answer to a charge.
- The same `event` always reads as the same PaymentEvent, whatever the time: it is compared with what came first.
- `charge` passes `order.key` on as the provider's idempotency key: under one key, the provider charges once, and what
  it charges under another is another payment.
- `charge` raises OutcomeUnknown, and returns nothing, whenever it cannot know whether money moved.
- What is wrong is told without secrets and without the body: errors are logged, and told to whoever delivered.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from console.errors import ConsoleError
from ledger.usecases.money.payments import News
from ledger.values.errors import InvalidValue

WINDOW_S = 300
"""How old, or how far ahead of our clock, a signature may be: half of what an attacker may replay in."""

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")


class NotGenuine(InvalidValue):
    """A delivery is not from the provider, or is too old to be believed; nothing of it is used."""


class OutcomeUnknown(ConsoleError):
    """The provider did not say what became of a charge; it is asked again under the same key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentEvent:
    """News of one payment.

    `account` and `charge` are our codes, which the provider was given with the payment; empty where it was given
    none. `fee_micros` is what the provider keeps for this, 0 where it does not say. `why` is a code for a failure.
    """

    event: str
    news: News
    payment: str
    amount_micros: int
    currency: str
    happened_at: datetime
    account: str = ""
    charge: str = ""
    fee_micros: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeOrder:
    """Charge a bound method without its owner being there.

    `token` is the provider's own name for the method. `key` is the idempotency key, new for each attempt that is
    known to have failed, and never otherwise. `account` and `charge` come back in what the provider tells of the
    payment.
    """

    key: str
    charge: str
    account: str
    token: str
    amount_micros: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeOutcome:
    """What the provider says at once: it has the money, it will tell by webhook, or it does not get it.

    `payment` is its id of the payment. After a failure `may_retry` says whether the same method could work later.
    """

    state: Literal["succeeded", "pending", "failed"]
    payment: str = ""
    fee_micros: int = 0
    why: str = ""
    may_retry: bool = True


class Webhooks(Protocol):
    """Reads a provider's deliveries."""

    def events_of(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Sequence[PaymentEvent]:
        """Return the news in a delivery, none where it tells of something else; header names are in lower case.

        Raises NotGenuine for a bad signature or one beyond WINDOW_S, InvalidValue for a body that cannot be read.
        """
        ...


class Charges(Protocol):
    """Charges bound methods."""

    def charge(self, order: ChargeOrder) -> ChargeOutcome:
        """Charge a method, once per `order.key`; raises OutcomeUnknown."""
        ...


def code_or_nothing(text: object) -> str:
    """Return a code of ours that a provider gave back; nothing for what is none, which may be a person's words."""
    return text if isinstance(text, str) and _CODE.fullmatch(text) else ""


def provider_id(text: str, *, what: str) -> str:
    """Return a provider's own id of something; raises InvalidValue for what cannot be one."""
    if not (1 <= len(text) <= 200 and text.isprintable()):
        raise InvalidValue(f"the delivery's {what} is not 1 to 200 printable characters; give the provider's own id")
    return text


def why_code(text: str) -> str:
    """Return a provider's reason as a code, such as `card_declined`: never its sentence."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:64] or "unknown"
