"""Values on the API's wire: amounts and energies are decimal texts, never numbers, so that no float touches them."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import Header, Path
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

Code = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$",
        description="A code: opaque, never personal data.",
        examples=["account-103"],
    ),
]
Amount = Annotated[
    str,
    Field(
        pattern=r"^-?[0-9]{1,18}(\.[0-9]{1,6})?$",
        max_length=26,
        description="An amount in currency units as decimal text.",
        examples=["25.00"],
    ),
]
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PLACES = "|".join(f"0{{{zeros}}}[1-9][0-9]{{0,{5 - zeros}}}" for zeros in range(6))
PaidAmount = Annotated[
    str,
    Field(
        pattern=rf"^([1-9][0-9]{{0,6}}(\.[0-9]{{1,6}})?|0\.({_PLACES}))$",
        max_length=14,
        description="An amount above zero, in currency units as decimal text.",
        examples=["25.00"],
    ),
]
SignedAmount = Annotated[
    str,
    Field(
        pattern=rf"^-?([1-9][0-9]{{0,6}}(\.[0-9]{{1,6}})?|0\.({_PLACES}))$",
        max_length=15,
        description="An amount above or below zero, in currency units as decimal text.",
        examples=["-5.00"],
    ),
]
UnsignedAmount = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$",
        max_length=16,
        description="An amount of zero or more, in currency units as decimal text.",
        examples=["1000.00"],
    ),
]


def _only_text(value: object) -> object:
    """Refuse numbers, which would be taken for seconds since 1970."""
    if not isinstance(value, str | datetime):
        raise ValueError("an instant is ISO 8601 text with zone, as in 2026-12-01T12:00:00+08:00")
    return value


def only_a_number(value: object) -> object:
    """Refuse what would be taken for a number; 7.0 is a whole one in JSON."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("this is a whole number, as in 24")
    return value


def _only_date_text(value: object) -> object:
    """Refuse numbers, which would be taken for seconds since 1970, and times."""
    if not isinstance(value, date) and not (isinstance(value, str) and _DATE.fullmatch(value)):
        raise ValueError("a date is ISO 8601 text, as in 2026-12-01")
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_only_text)]
# As far as every reader of JSON counts exactly.
_MOST_POSITION = 2**53 - 1
PositionInPath = Annotated[int, Path(ge=1, le=_MOST_POSITION, description="Where it stands in the ledger.")]
Position = Annotated[
    int,
    Field(ge=1, le=_MOST_POSITION, description="Where it stands in the ledger."),
    BeforeValidator(only_a_number),
]
LocalDate = Annotated[date, BeforeValidator(_only_date_text)]
Kwh = Annotated[str, Field(description="Kilowatt-hours as decimal text.", examples=["12.345"])]
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=150,
        pattern=r"^[!-~]+$",
        description="New for each command; the same key with the same content gives the first result again.",
    ),
]


class Body(BaseModel):
    """A request's body: unknown fields are refused, so that a misspelt one is not silently left out."""

    model_config = ConfigDict(extra="forbid")


def amount_text(amount: Decimal) -> str:
    """Write an amount with all its micro-units."""
    return f"{amount:.6f}"


def kwh_text(milliwh: Decimal) -> str:
    """Write milliwatt-hours as kilowatt-hours, exactly."""
    return f"{milliwh.scaleb(-6):.6f}"
