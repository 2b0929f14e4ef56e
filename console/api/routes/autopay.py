"""How an account is topped up by itself: payment methods, a schedule, a threshold, caps, and what was charged."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.codes import AccountInPath, MethodInPath
from console.api.keys import ApiKey
from console.api.problems import Problem, responses
from console.api.services import Services
from console.api.values import Amount, Body, Code, LocalDate, PaidAmount
from console.autopay_shown import detail_of
from console.payments import methods
from console.payments.charges import Charge, State, newest
from ledger.domain.autopay import Every, Rhythm, ScheduleSet, ThresholdSet
from ledger.usecases.accounts import account_of
from ledger.usecases.autopay import Saying, autopay_of, end_rhythm, set_caps, set_schedule, set_threshold
from ledger.values.money import micros_from_text, text_from_micros

router = APIRouter(prefix="/v1/accounts", tags=["automatic top-ups"])

_NEWEST = 20
_PROBLEMS = responses(401, 403, 404, 409, 422, 429)


# A threshold beyond it would be beyond any balance.
BelowAmount = Annotated[
    str,
    Field(
        pattern=r"^-?[0-9]{1,7}(\.[0-9]{1,6})?$",
        max_length=15,
        description="A balance in currency units as decimal text; below zero is what is used beyond it.",
        examples=["5.00"],
    ),
]


class Method(BaseModel):
    """A bound payment method; the provider's own id of it is never told."""

    method: str
    provider: str


class Schedule(BaseModel):
    """So much is topped up on a local date, and every so often after it."""

    method: Code
    amount: PaidAmount
    every: Literal["day", "week", "month"]
    from_date: LocalDate = Field(description="The first local date; a month too short for its day ends on its last.")


class Threshold(BaseModel):
    """So much is topped up whenever the balance is below an amount."""

    method: Code
    amount: PaidAmount
    below: BelowAmount


class Caps(BaseModel):
    """The most that is charged by itself in a local day and in a local month."""

    day: PaidAmount
    month: PaidAmount


class Charged(BaseModel):
    """A charge of a bound method."""

    charge: str
    method: str
    rhythm: Rhythm
    due_on: date
    amount: Amount
    state: State
    attempt: int
    detail: str


class Autopay(BaseModel):
    """What tops an account up by itself."""

    account: str
    currency: str
    methods: list[Method]
    schedule: Schedule | None
    threshold: Threshold | None
    caps: Caps
    charges: list[Charged] = Field(description=f"The newest first, {_NEWEST} at most.")


class NewMethod(Body):
    """A payment method that its owner lets us charge."""

    method: Code
    provider: Code
    token: str = Field(
        min_length=1,
        max_length=500,
        pattern=r"^[!-~]+$",
        description="The provider's own id of it: kept with personal data, never given back.",
        examples=["pm_1Qxyz"],
    )


class NewSchedule(Schedule, Body):
    """A schedule that replaces the one that there is."""


class NewThreshold(Threshold, Body):
    """A threshold that replaces the one that there is."""


class NewCaps(Caps, Body):
    """Caps that replace those that there are."""


class Why(Body):
    """Why something ends."""

    reason: Code = "asked-for"


Owner = Annotated[ApiKey, Depends(needing("kiosk", "payment-provider", "finance", "operator"))]


@router.get("/{account}/autopay", responses=responses(401, 403, 404, 422, 429))
def show_autopay(
    account: AccountInPath,
    services: AnyService,
    key: Annotated[ApiKey, Depends(needing("kiosk", "payment-provider", "finance", "operator", "auditor"))],
) -> Autopay:
    """Tell what tops an account up by itself, at the ledger's head."""
    _check_no_agents(key)
    return _shown(services, account)


@router.post("/{account}/autopay/methods", status_code=201, responses=_PROBLEMS)
def bind(account: AccountInPath, body: NewMethod, services: AnyService, key: Owner) -> Autopay:
    """Bind a payment method under a code; bound again with the same token it changes nothing."""
    by = _said_by(services, key, account)
    with services.reading() as connection:
        methods.bind(
            connection,
            services.ledger,
            by=by,
            method=body.method,
            provider=body.provider,
            token=body.token,
            reference_key=services.receiver.reference_key,
        )
    return _shown(services, account)


@router.post("/{account}/autopay/methods/{method}/unbind", status_code=201, responses=_PROBLEMS)
def unbind(account: AccountInPath, method: MethodInPath, body: Why, services: AnyService, key: Owner) -> Autopay:
    """Unbind a payment method: it is charged no more, and what charged it ends."""
    by = _said_by(services, key, account)
    with services.reading() as connection:
        methods.unbind(connection, services.ledger, by=by, method=method, reason=body.reason)
    return _shown(services, account)


@router.post("/{account}/autopay/schedule", status_code=201, responses=_PROBLEMS)
def schedule(account: AccountInPath, body: NewSchedule, services: AnyService, key: Owner) -> Autopay:
    """Top an account up every day, week or month."""
    every: Every = body.every
    set_schedule(
        services.ledger,
        by=_said_by(services, key, account),
        method=body.method,
        amount_micros=micros_from_text(body.amount),
        every=every,
        from_date=body.from_date,
    )
    return _shown(services, account)


@router.post("/{account}/autopay/threshold", status_code=201, responses=_PROBLEMS)
def threshold(account: AccountInPath, body: NewThreshold, services: AnyService, key: Owner) -> Autopay:
    """Top an account up whenever its balance is below an amount."""
    set_threshold(
        services.ledger,
        by=_said_by(services, key, account),
        method=body.method,
        amount_micros=micros_from_text(body.amount),
        below_micros=micros_from_text(body.below),
    )
    return _shown(services, account)


@router.post("/{account}/autopay/caps", status_code=201, responses=_PROBLEMS)
def caps(account: AccountInPath, body: NewCaps, services: AnyService, key: Owner) -> Autopay:
    """Cap what is charged by itself in a local day and month."""
    set_caps(
        services.ledger,
        by=_said_by(services, key, account),
        day_micros=micros_from_text(body.day),
        month_micros=micros_from_text(body.month),
    )
    return _shown(services, account)


@router.post("/{account}/autopay/{rhythm}/end", status_code=201, responses=_PROBLEMS)
def end(account: AccountInPath, rhythm: Rhythm, body: Why, services: AnyService, key: Owner) -> Autopay:
    """End the schedule or the threshold; the method stays bound."""
    by = _said_by(services, key, account)
    end_rhythm(services.ledger, by=by, rhythm=rhythm, reason=body.reason)
    return _shown(services, account)


def _said_by(services: Services, key: ApiKey, account: str) -> Saying:
    _check_no_agents(key)
    return Saying(account=account, operator=f"api-{key.id}", now=services.now())


def _check_no_agents(key: ApiKey) -> None:
    if key.agent:
        raise Problem(403, f"API key {key.id} is agent {key.agent!r}'s, who sells; use a key of the consumers' app")


def _shown(services: Services, account: str) -> Autopay:
    state, autopay = account_of(services.ledger, account), autopay_of(services.ledger, account)
    with services.reading() as connection:
        rows = newest(connection, account=account, limit=_NEWEST)
    return Autopay(
        account=account,
        currency=state.currency,
        methods=[Method(method=code, provider=one.provider) for code, one in sorted(autopay.methods.items())],
        schedule=None if autopay.schedule is None else _schedule(autopay.schedule),
        threshold=None if autopay.threshold is None else _threshold(autopay.threshold),
        caps=Caps(day=text_from_micros(autopay.day_cap_micros), month=text_from_micros(autopay.month_cap_micros)),
        charges=[_charged(row) for row in rows],
    )


def _schedule(fact: ScheduleSet) -> Schedule:
    amount = text_from_micros(fact.amount_micros)
    return Schedule(method=fact.method, amount=amount, every=fact.every, from_date=fact.from_date)


def _threshold(fact: ThresholdSet) -> Threshold:
    amount, below = text_from_micros(fact.amount_micros), text_from_micros(fact.below_micros)
    return Threshold(method=fact.method, amount=amount, below=below)


def _charged(row: Charge) -> Charged:
    return Charged(
        charge=row.charge,
        method=row.method,
        rhythm=row.rhythm,
        due_on=row.due_on,
        amount=text_from_micros(row.amount_micros),
        state=row.state,
        attempt=row.attempt,
        detail=detail_of(row),
    )
