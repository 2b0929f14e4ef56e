"""Accounts: open one, top it up."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger.domain import account as account_stream_of
from ledger.domain.account import Account, AccountCredited, AccountOpened
from ledger.domain.event import Event
from ledger.domain.postings import top_up_postings
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.usecases.attempt import appended, appended_once
from ledger.usecases.codes import checked_code, checked_currency
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.identity import account_stream
from ledger.values.money import text_from_micros

# A top-up beyond this is a slip of the keyboard; it is a thousand times a large household's yearly bill.
MAX_TOP_UP_MICROS = 10_000_000 * 1_000_000


_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ToppedUp:
    """A booked top-up: where it stands in the ledger, and whether it stood there before this call."""

    position: int
    is_repeat: bool


def open_account(ledger: Ledger, *, account: str, site: str, currency: str, now: datetime) -> int:
    """Open an account and return the position; raises Refused where it is open already."""
    checked_code(account, what="account")
    checked_code(site, what="site")
    checked_currency(currency)
    stream = account_stream(account)

    def decide() -> Sequence[Event]:
        state, version = ledger.folded(stream, account_stream_of.evolve, None)
        if state is not None:
            raise Refused(f"account {account!r} is open already; choose another code")
        return [
            Event(stream, version + 1, AccountOpened(account=account, site=site, currency=currency, recorded_at=now))
        ]

    return appended(ledger, decide)


def top_up(
    ledger: Ledger,
    *,
    account: str,
    amount_micros: int,
    channel: str,
    key: str,
    now: datetime,
    reference_hash: str = "",
) -> ToppedUp:
    """Credit an account once per idempotency key; amount in micro-units.

    The same key with the same content returns the first result. Raises InvalidValue for an amount that is not above
    zero or absurdly large, NotFound for an unknown account, Conflict for a key that came with other content.
    """
    _check_amount(amount_micros)
    if not (1 <= len(key) <= 200 and key.isprintable()):
        raise InvalidValue(
            f"idempotency key {key!r} is not 1 to 200 printable characters; give such a key, new for each top-up"
        )
    if reference_hash and not _HASH.fullmatch(reference_hash):
        # What is refused is not shown: it may be the reference itself.
        raise InvalidValue("reference_hash is not 64 hexadecimal digits; give the keyed hash, never the reference")
    checked_code(channel, what="channel")
    stream = account_stream(account)
    command = Command(
        key=f"top-up/{key}",
        content={
            "account": account,
            "amount_micros": str(amount_micros),
            "channel": channel,
            "reference_hash": reference_hash,
        },
    )

    def decide() -> Sequence[Event]:
        state, version = ledger.folded(stream, account_stream_of.evolve, None)
        _known(state, account)
        fact = AccountCredited(
            account=account,
            amount_micros=amount_micros,
            channel=channel,
            reference_hash=reference_hash,
            key_hash=hashlib.sha256(key.encode()).hexdigest(),
            postings=top_up_postings(account=account, channel=channel, amount_micros=amount_micros),
            recorded_at=now,
        )
        return [Event(stream, version + 1, fact)]

    return ToppedUp(*appended_once(ledger, decide, command=command))


def account_of(ledger: Ledger, account: str) -> Account:
    """Return an account as its own events leave it; raises NotFound."""
    return _known(ledger.folded(account_stream(account), account_stream_of.evolve, None)[0], account)


def _check_amount(amount_micros: int) -> None:
    shown = text_from_micros(amount_micros)
    if amount_micros <= 0:
        raise InvalidValue(f"amount {shown} is not positive; a top-up adds money, what was paid out is no top-up")
    if amount_micros > MAX_TOP_UP_MICROS:
        raise InvalidValue(
            f"amount {shown} is above {text_from_micros(MAX_TOP_UP_MICROS)}, the most of one top-up; check it"
        )


def _known(state: Account | None, account: str) -> Account:
    if state is None:
        raise NotFound(f"there is no account {account!r}; open it first, or check the code")
    return state
