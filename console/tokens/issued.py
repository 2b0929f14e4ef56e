"""Tokens as people get them: what the ledger says of one, with its digits worked out anew each time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection

from console.tokens.digits import token_digits
from console.tokens.secrets_kept import kept_secrets
from ledger.domain.token_billing import TokenSize
from ledger.domain.vending import EnergyVended, TokenIssued, TokenKind
from ledger.store.application import Ledger
from ledger.usecases.supply_life import supply_of
from ledger.values.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token: energies in milliwatt-hours, amounts in micro-units; one that moves no money has neither."""

    position: int
    supply: str
    account: str
    kind: Literal["add"] | TokenKind
    count: int
    units: int
    energy_milliwh: int
    amount_micros: int
    at: datetime
    digits: str


def token_at(ledger: Ledger, devices: Connection[Any], *, position: int, key: bytes) -> Token:
    """Return the token that was issued at a position; raises NotFound where none was."""
    logged = ledger.event_at(position)
    if logged is None or not isinstance(logged.fact, EnergyVended | TokenIssued):
        what = "nothing" if logged is None else logged.fact.topic
        raise NotFound(
            f"no token was issued at position {position}, there is {what}; `wattledger tokens list` has them"
        )
    fact = logged.fact
    kind: Literal["add"] | TokenKind = "add" if isinstance(fact, EnergyVended) else fact.kind
    digits = token_digits(
        kept_secrets(devices, supply=fact.supply, key=key),
        size=_size(ledger, fact.supply),
        kind=kind,
        units=fact.units,
        count=fact.count,
    )
    sold = fact if isinstance(fact, EnergyVended) else None
    return Token(
        position=position,
        supply=fact.supply,
        account="" if sold is None else sold.account,
        kind=kind,
        count=fact.count,
        units=fact.units,
        energy_milliwh=0 if sold is None else sold.usage_milliwh,
        amount_micros=0 if sold is None else sold.amount_micros,
        at=fact.recorded_at,
        digits=digits,
    )


def _size(ledger: Ledger, supply: str) -> TokenSize:
    tokens = supply_of(ledger, supply).tokens
    if tokens is None:
        raise AssertionError(f"a token was issued for {supply}, which is not billed by token")
    return tokens.size
