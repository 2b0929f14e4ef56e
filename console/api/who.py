"""Who orders something over the API: the key's own id where nobody says who sits behind it."""

import hashlib

from console.api.keys import ApiKey
from console.api.services import Services
from ledger.usecases.money.attempt import By


def ordered_by(
    services: Services, key: ApiKey, idempotency_key: str, *, reason: str, operator: str = "", approved_by: str = ""
) -> By:
    """Return who orders it now, under an idempotency key of this API key alone."""
    return By(
        operator=operator or f"api-{key.id}",
        reason=reason,
        key=api_key(key, idempotency_key),
        now=services.now(),
        approved_by=approved_by,
    )


def api_key(key: ApiKey, idempotency_key: str) -> str:
    """Return the ledger's key of a request: two programs may use the same Idempotency-Key."""
    return f"api/{key.id}/{idempotency_key}"


def part_key(key: ApiKey, idempotency_key: str, part: str) -> str:
    """Return the ledger's key of a part of a request, which is a command of its own."""
    digest = hashlib.sha256(api_key(key, idempotency_key).encode()).hexdigest()
    return f"api-part/{digest}/{part}"
