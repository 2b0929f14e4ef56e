"""Errors as RFC 9457 problem details: what is wrong, with which value, and what to do."""

from http import HTTPStatus
from typing import Any

import psycopg
import structlog
from eventsourcing import persistence
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from ledger.usecases.money.selling import FloatExceeded
from ledger.values.errors import Conflict, InvalidValue, LedgerError, NotFound, Refused

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
_STATUS: tuple[tuple[type[LedgerError], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (Refused, 409),
    (InvalidValue, 422),
)
_KINDS: tuple[tuple[type[LedgerError], str], ...] = (
    (FloatExceeded, "float-limit"),
    (NotFound, "not-found"),
    (Conflict, "conflict"),
    (Refused, "refused"),
    (InvalidValue, "invalid-value"),
)
# What was under way is committed or not; an Idempotency-Key, or a delivery's own id, lets it be sent again.
_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    PoolTimeout,
    persistence.OperationalError,
    persistence.InterfaceError,
)


class ProblemDetails(BaseModel):
    """A problem (RFC 9457): `detail` names the value and the remedy; `errors` each wrong part of a request."""

    type: str = Field(description="What kind of problem: `about:blank`, or a name of ours.", examples=["refused"])
    title: str = Field(description="The kind in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong, with which value, and what to do.")
    errors: list[dict[str, str]] = Field(default=[], description="Wrong parts of the request: where, and why.")


class Problem(Exception):
    """A problem to answer with."""

    def __init__(
        self, status: int, detail: str, *, kind: str = "about:blank", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.headers = headers or {}


def answer(problem: Problem, errors: list[dict[str, str]] | None = None) -> JSONResponse:
    """Return the response that tells a problem."""
    body = ProblemDetails(
        type=problem.kind,
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        errors=errors or [],
    )
    return JSONResponse(
        body.model_dump(exclude_defaults=True) | {"type": problem.kind},
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that an operation may answer with, for its OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "model": ProblemDetails, "content": content}
        for status in (400, *statuses, 503)
    }


def install(app: FastAPI) -> None:
    """Let every error of an app come out as problem details."""

    @app.exception_handler(Problem)
    async def of_ours(_request: Request, problem: Problem) -> JSONResponse:
        return answer(problem)

    @app.exception_handler(LedgerError)
    async def of_the_ledger(_request: Request, error: LedgerError) -> JSONResponse:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 422)
        return answer(Problem(status, str(error), kind=_name(error)))

    for away in _AWAY:
        app.add_exception_handler(away, _database_away)

    @app.exception_handler(RequestValidationError)
    async def of_the_request(_request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {"where": ".".join(str(part) for part in one["loc"]), "why": str(one["msg"])} for one in error.errors()
        ]
        told = "; ".join(f"{one['where']}: {one['why']}" for one in errors)
        return answer(Problem(422, f"the request is not as it must be: {told}", kind="invalid-request"), errors)

    @app.exception_handler(HTTPException)
    async def of_http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = _methods_of(app, request)
            detail = f"{request.method} is not possible here; possible: {', '.join(allowed)}"
            return answer(Problem(405, detail, headers={"Allow": ", ".join(allowed)}))
        return answer(Problem(error.status_code, str(error.detail), headers=dict(error.headers or {})))


def _database_away(_request: Request, error: Exception) -> JSONResponse:
    """Whoever asked does not hear where the database is; the log does."""
    log.warning("the database does not answer", error=f"{type(error).__name__}: {error}".strip())
    detail = "the ledger does not answer at the moment; send the same again"
    return answer(Problem(503, detail, headers={"Retry-After": "5"}))


def _methods_of(app: FastAPI, request: Request) -> list[str]:
    """Return every method of a path: each is a route of its own here, and the framework tells the first one's."""
    methods: set[str] = set()
    for route in app.state.operations:
        if isinstance(route, Route) and route.matches(request.scope)[0] != Match.NONE:
            methods |= route.methods or set()
    return sorted(methods)


def _name(error: LedgerError) -> str:
    return next((name for kind, name in _KINDS if isinstance(error, kind)), "refused")
