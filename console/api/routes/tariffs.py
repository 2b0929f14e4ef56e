"""Tariffs: published versions, and how much energy an amount buys."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, Field

from console.api.access import AnyService, needing
from console.api.codes import TariffInPath
from console.api.keys import ApiKey
from console.api.paging import CodeCursor, Limit, Page, PositionCursor, paged
from console.api.problems import responses
from console.api.values import Amount, Code, Kwh, PaidAmount
from console.tariffs.published import published_tariffs
from console.tariffs.rating import Circumstances, compiled_text, quoted
from console.tariffs.showing import quote_json
from ledger.domain.tariff import TariffHistory, TariffPublished
from ledger.rating.tariff import parse_tariff
from ledger.values.energy import milliwh_from_text
from ledger.values.errors import NotFound
from ledger.values.money import micros_from_text

router = APIRouter(prefix="/v1/tariffs", tags=["tariffs"])

_READERS = ("kiosk", "payment-provider", "finance", "operator", "auditor")


class TariffVersion(BaseModel):
    """A published version; `text` is the tariff file, byte for byte."""

    tariff: Code
    version: int
    effective_from: datetime
    note: str
    text: str


class QuoteLine(BaseModel):
    """One line of what an amount would be charged for."""

    component: str
    quantity: str
    unit: str
    price: str
    amount: Amount
    rule: str
    block: str = ""
    period: str = ""


class Quote(BaseModel):
    """The most energy that an amount buys, with the exact change."""

    energy_kwh: Kwh
    cost: Amount
    change: Amount
    currency: str = Field(examples=["CNY"])
    lines: list[QuoteLine]


@router.get("", responses=responses(401, 403, 422, 429))
def list_tariffs(
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing(*_READERS))],
    limit: Limit = 100,
    cursor: CodeCursor = "",
) -> Page[TariffVersion]:
    """List the newest version of every tariff, by code."""
    with services.reading() as connection:
        histories = published_tariffs(connection)
    rows = [_shown(histories[code].versions[-1]) for code in sorted(histories) if code > cursor]
    return paged(rows, limit=limit, key=lambda row: row.tariff)


@router.get("/{tariff}/versions", responses=responses(401, 403, 404, 422, 429))
def list_versions(
    tariff: TariffInPath,
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing(*_READERS))],
    limit: Limit = 100,
    cursor: PositionCursor = 0,
) -> Page[TariffVersion]:
    """List a tariff's versions by number."""
    versions = sorted(_history(services, tariff).versions, key=lambda row: row.version)
    rows = [_shown(row) for row in versions if row.version > cursor]
    return paged(rows, limit=limit, key=lambda row: str(row.version))


@router.get("/{tariff}/quote", responses=responses(401, 403, 404, 422, 429))
def quote_amount(
    tariff: TariffInPath,
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing(*_READERS))],
    amount: Annotated[PaidAmount, Query()],
    month_to_date_kwh: Annotated[str, Query(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")] = "0",
    year_to_date_kwh: Annotated[str | None, Query(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")] = None,
    at: Annotated[AwareDatetime | None, Query(description="When; now if not given.")] = None,
    account_class: Annotated[str, Query(max_length=64)] = "",
) -> Quote:
    """Tell the most energy that an amount buys under the version in force, and the exact change."""
    instant = at or services.now()
    version = _history(services, tariff).version_at(instant)
    if version is None:
        raise NotFound(f"tariff {tariff!r} has no version in force at {instant.isoformat()}")
    known_classes = sorted(row.name for row in parse_tariff(version.text).classes)
    if account_class and account_class not in known_classes:
        raise NotFound(f"tariff {tariff!r} has no class {account_class!r}; known: {known_classes}")
    compiled = compiled_text(version.text, name=tariff, account_class=account_class)
    known = Circumstances(
        at=instant,
        month_to_date_milliwh=milliwh_from_text(month_to_date_kwh),
        year_to_date_milliwh=milliwh_from_text(year_to_date_kwh or month_to_date_kwh),
    )
    found = quoted(compiled, micros_from_text(amount), known)
    return Quote.model_validate(quote_json(found, currency=compiled.tariff.currency))


def _history(services: AnyService, tariff: str) -> TariffHistory:
    with services.reading() as connection:
        histories = published_tariffs(connection)
    if tariff not in histories:
        raise NotFound(f"there is no tariff {tariff!r}; known: {', '.join(histories) or 'none is published'}")
    return histories[tariff]


def _shown(version: TariffPublished) -> TariffVersion:
    return TariffVersion(
        tariff=version.tariff,
        version=version.version,
        effective_from=version.effective_from,
        note=version.note,
        text=version.text,
    )
