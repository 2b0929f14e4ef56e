"""Accounts: their balances, and topping them up."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from psycopg.rows import class_row
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.codes import AccountInPath
from console.api.keys import ApiKey
from console.api.paging import CodeCursor, Limit, Page, paged
from console.api.problems import responses
from console.api.values import Amount, Body, Code, IdempotencyKey, Kwh, PaidAmount, amount_text, kwh_text
from console.api.who import api_key
from ledger.domain.agent import receipt_text
from ledger.usecases.accounts import account_of, open_account, top_up
from ledger.usecases.credit.crediting import application_at
from ledger.values.money import decimal_from_micros, micros_from_text, text_from_micros
from projections.queries import Balance

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])

_READERS = ("kiosk", "finance", "operator", "auditor")
_BALANCES = """
SELECT account, site, currency, balance, debited, credited, usage_milliwh, debits, top_ups
FROM projections.balances WHERE account > %(after)s AND (%(site)s::text IS NULL OR site = %(site)s)
ORDER BY account LIMIT %(limit)s
"""
_BALANCE = """
SELECT account, site, currency, balance, debited, credited, usage_milliwh, debits, top_ups
FROM projections.balances WHERE account = %s
"""


class Account(BaseModel):
    """An account: what it has to its credit, and what made it so."""

    account: Code
    site: str
    currency: str = Field(examples=["CNY"])
    balance: Amount
    debited: Amount
    credited: Amount
    usage_kwh: Kwh
    debits: int
    top_ups: int


class NewAccount(Body):
    """An account to open."""

    account: Code
    site: Code
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.", examples=["CNY"])


class NewTopUp(Body):
    """Money that was paid in."""

    amount: PaidAmount
    channel: Code = Field(default="kiosk", description="How the money came in.")
    consent: bool = Field(
        default=False,
        strict=True,
        description="The consumer says that their appliances are off and may be switched on.",
    )
    reference: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=r"^[ -~]+$",
        description="The channel's own reference: kept with personal data, in the ledger as a keyed hash.",
        examples=["RF18539007547034"],
    )
    is_cleared: bool = Field(
        default=False,
        strict=True,
        description="The channel's provider has the money still, and will pay it out; not for what an agent sells.",
    )


class AppliedPart(BaseModel):
    """What of a top-up went to a part."""

    part: str = Field(description="debt, accrued, below-threshold, emergency or balance.", examples=["balance"])
    amount: Amount


class TopUp(BaseModel):
    """A top-up as it is booked."""

    account: str
    amount: Amount
    currency: str
    position: int = Field(description="Where it stands in the ledger.")
    is_repeat: bool = Field(description="Whether this key had booked it before.")
    receipt_number: str | None = Field(
        description="An agent's key gets the agent's next receipt number, without gaps.", examples=["lobby-000042"]
    )
    applied: list[AppliedPart] = Field(
        description="What it went to, in the order in which it was applied; adds up to the amount."
    )


@router.get("", responses=responses(401, 403, 422, 429))
def list_accounts(
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing("finance", "operator", "auditor"))],
    limit: Limit = 100,
    cursor: CodeCursor = "",
    site: Annotated[str | None, Query(max_length=64, description="Only accounts of this site.")] = None,
) -> Page[Account]:
    """List accounts by code."""
    with services.reading() as connection, connection.cursor(row_factory=class_row(Balance)) as rows:
        rows.execute(_BALANCES, {"after": cursor, "site": site, "limit": limit + 1})
        return paged([_shown(row) for row in rows], limit=limit, key=lambda row: row.account)


@router.post("", status_code=201, responses=responses(401, 403, 409, 422, 429))
def open_new(
    body: NewAccount, services: AnyService, _key: Annotated[ApiKey, Depends(needing("operator"))]
) -> Account:
    """Open an account."""
    open_account(services.ledger, account=body.account, site=body.site, currency=body.currency, now=services.now())
    return _new(body.account, body.site, body.currency)


@router.get("/{account}", responses=responses(401, 403, 404, 422, 429))
def show_account(
    account: AccountInPath, services: AnyService, _key: Annotated[ApiKey, Depends(needing(*_READERS))]
) -> Account:
    """Tell an account's balance, as far as events are projected."""
    with services.reading() as connection, connection.cursor(row_factory=class_row(Balance)) as rows:
        found = rows.execute(_BALANCE, (account,)).fetchone()
    return _not_projected(services, account) if found is None else _shown(found)


@router.post("/{account}/top-ups", status_code=201, responses=responses(401, 403, 404, 409, 422, 429))
def pay_in(
    account: AccountInPath,
    body: NewTopUp,
    idempotency_key: IdempotencyKey,
    services: AnyService,
    key: Annotated[ApiKey, Depends(needing("kiosk", "finance"))],
) -> TopUp:
    """Top an account up, once per Idempotency-Key of this API key."""
    currency = account_of(services.ledger, account).currency
    reference = services.kept_reference(body.reference, account=account) if body.reference else ""
    amount_micros = micros_from_text(body.amount)
    booked = top_up(
        services.ledger,
        account=account,
        amount_micros=amount_micros,
        channel=body.channel,
        key=api_key(key, idempotency_key),
        now=services.now(),
        reference_hash=reference,
        is_cleared=body.is_cleared,
        consent=body.consent,
        agent=key.agent,
    )
    credited = services.ledger.event_at(booked.position)
    number = getattr(credited.fact, "receipt_number", 0) if credited is not None else 0
    return TopUp(
        account=account,
        amount=text_from_micros(amount_micros),
        currency=currency,
        position=booked.position,
        is_repeat=booked.is_repeat,
        receipt_number=receipt_text(key.agent, number) if number else None,
        applied=[
            AppliedPart(part=line.part, amount=text_from_micros(line.amount_micros))
            for line in application_at(services.ledger, booked.position)
        ],
    )


def _not_projected(services: AnyService, account: str) -> Account:
    """Tell an account that was opened a moment ago; raises NotFound where there is none."""
    state = account_of(services.ledger, account)
    balance_micros = services.ledger.standing([account]).balance_micros(account)
    return _new(account, state.site, state.currency, balance_micros)


def _new(account: str, site: str, currency: str, balance_micros: int = 0) -> Account:
    balance = amount_text(decimal_from_micros(balance_micros))
    return Account(
        account=account,
        site=site,
        currency=currency,
        balance=balance,
        debited="0.000000",
        credited=balance,
        usage_kwh="0.000000",
        debits=0,
        top_ups=0,
    )


def _shown(row: Balance) -> Account:
    return Account(
        account=row.account,
        site=row.site,
        currency=row.currency,
        balance=amount_text(row.balance),
        debited=amount_text(row.debited),
        credited=amount_text(row.credited),
        usage_kwh=kwh_text(row.usage_milliwh),
        debits=row.debits,
        top_ups=row.top_ups,
    )
