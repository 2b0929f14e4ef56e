"""Statements and receipts, as JSON, HTML or PDF."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from console.api.access import AnyService, needing
from console.api.codes import AccountInPath
from console.api.keys import ApiKey
from console.api.problems import responses
from console.api.values import PositionInPath
from console.papers.writing import written_receipt, written_statement

router = APIRouter(prefix="/v1", tags=["statements"])

_READERS = ("kiosk", "finance", "operator", "auditor")
_Form = Annotated[Literal["json", "html", "pdf"], Query(description="The form that is answered.")]
_Language = Annotated[Literal["en", "zh"], Query(description="The language of HTML and PDF.")]
_FORMS: dict[str, Any] = {
    "application/json": {"schema": {"type": "object"}},
    "text/html": {"schema": {"type": "string"}},
    "application/pdf": {"schema": {"type": "string", "format": "binary"}},
}
_GIVEN: dict[int | str, dict[str, Any]] = {200: {"description": "In the form that was asked for.", "content": _FORMS}}


@router.get(
    "/accounts/{account}/statements/{month}",
    responses=_GIVEN | responses(401, 403, 404, 409, 422, 429),
    response_class=Response,
)
def show_statement(
    account: AccountInPath,
    month: Annotated[str, Path(pattern=r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])$", examples=["2026-07"])],
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing(*_READERS))],
    form: _Form = "json",
    language: _Language = "en",
) -> Response:
    """Give an account's statement for an accounting month; JSON holds the proof that checks offline."""
    with services.reading() as connection:
        written = written_statement(
            connection, account=account, month=month, form=form, language=language, now=services.now()
        )
    return Response(written.content, media_type=written.media_type)


@router.get(
    "/top-ups/{position}/receipt",
    responses=_GIVEN | responses(401, 403, 404, 422, 429),
    response_class=Response,
)
def show_receipt(
    position: PositionInPath,
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing(*_READERS))],
    form: _Form = "json",
    language: _Language = "en",
) -> Response:
    """Give a top-up's receipt."""
    with services.reading() as connection:
        written = written_receipt(connection, position=position, form=form, language=language, now=services.now())
    return Response(written.content, media_type=written.media_type)
