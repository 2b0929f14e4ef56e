"""Webhooks: what payment providers tell, each signed in its provider's own way. No API key: the signature is it."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from console.api.access import AnyService, Forgeries
from console.api.problems import Problem, responses
from console.api.services import Services
from console.payments.port import NotGenuine
from console.payments.receiving import Received

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

MOST_BYTES = 262_144
_SENT_WITHIN_S = 10.0
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The provider's own; its signature covers these very bytes.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


class WebhookReceived(BaseModel):
    """A delivery is kept, and is booked in a moment."""

    kept: int = Field(description="How much of it is news.")
    repeated: int = Field(description="How much of it had been told before.")


@router.post(
    "/{provider}", status_code=202, responses=responses(403, 404, 408, 409, 413, 422, 429), openapi_extra=_BODY
)
async def receive(
    provider: Annotated[str, Path(description="The provider's name.", examples=["stripe"])],
    request: Request,
    services: AnyService,
) -> WebhookReceived:
    """Take in a payment provider's delivery, once however often it comes; see docs/payments.md."""
    body = await _body(request)
    headers = dict(request.headers.items())
    forgeries: Forgeries = request.app.state.forgeries
    try:
        received = await run_in_threadpool(_received, services, provider, body, headers)
    except NotGenuine as error:
        # Looked at only now, so that no number of forged ones keeps a genuine one out.
        forgeries.count(request.client.host if request.client else "")
        raise Problem(403, str(error), kind="not-genuine") from None
    return WebhookReceived(kept=received.kept, repeated=received.repeated)


def _received(services: Services, provider: str, body: bytes, headers: Mapping[str, str]) -> Received:
    with services.reading() as connection:
        return services.receiver.receive(
            connection, provider=provider, body=body, headers=headers, now=services.now()
        )


async def _body(request: Request) -> bytes:
    """Read the body as it came, no more of it than a delivery may have, nor for longer."""
    body = bytearray()
    try:
        async with asyncio.timeout(_SENT_WITHIN_S):
            async for part in request.stream():
                body += part
                if len(body) > MOST_BYTES:
                    raise Problem(413, f"the body is larger than {MOST_BYTES} bytes; no delivery of a payment is")
    except TimeoutError:
        raise Problem(408, f"the body did not arrive within {_SENT_WITHIN_S:.0f} s; send it again") from None
    return bytes(body)
