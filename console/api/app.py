"""The app: its operations, its problems, its OpenAPI document."""

from fastapi import FastAPI

from console.api import problems
from console.api.access import Access, Forgeries
from console.api.routes import (
    accounts,
    agents,
    autopay,
    balances,
    batches,
    credit,
    disputes,
    finance,
    held_cuts,
    meters,
    papers,
    payers,
    payouts,
    proposals,
    readings,
    receipts,
    supplies,
    tariffs,
    tokens,
    top_ups,
    undoing,
    webhooks,
    worklist,
)
from console.api.services import Services

_ABOUT = """
Prepaid electricity, billed as events. Amounts and energies are decimal texts, times are ISO 8601 with zone. Every
POST that moves money takes an `Idempotency-Key`. Errors are problem details (RFC 9457) that name value and remedy.
"""
_ROUTES = (
    accounts,
    top_ups,
    credit,
    autopay,
    balances,
    undoing,
    disputes,
    proposals,
    papers,
    receipts,
    agents,
    payers,
    payouts,
    supplies,
    meters,
    batches,
    tariffs,
    readings,
    worklist,
    held_cuts,
    finance,
    tokens,
    webhooks,
)


def make_app(services: Services | None) -> FastAPI:
    """Make the app; without services it can only tell its OpenAPI document."""
    app = FastAPI(title="Wattledger", version="1", description=_ABOUT, redoc_url=None)
    app.state.services = services
    app.state.access = None if services is None else Access(services)
    app.state.forgeries = Forgeries()
    app.state.operations = [route for module in _ROUTES for route in module.router.routes]
    problems.install(app)
    for module in _ROUTES:
        app.include_router(module.router)
    return app
