"""Who asks: the key that a request carries, what it may do, and how often."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from console.api.keys import ApiKey, Scope, found_key
from console.api.problems import Problem
from console.api.services import Services

_bearer = HTTPBearer(auto_error=False, description="An API key: `wattledger api-keys create`.")
# A revoked key is refused within this time.
_REMEMBERED_S = 5.0
_FORGERIES = RateLimitItemPerMinute(60)


class Access:
    """Knows keys for a few seconds, and counts what each asks for."""

    def __init__(self, services: Services, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._clock = clock
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._known: dict[str, tuple[float, ApiKey | None]] = {}
        self._lock = threading.Lock()

    def admitted(self, text: str) -> ApiKey:
        """Return the key with this text; raises Problem where it opens nothing, or asks too often."""
        key = self._found(text)
        if key is None or not key.is_valid(datetime.now(UTC)):
            raise Problem(
                401,
                "the API key is unknown, expired or revoked; ask whoever runs this ledger for one",
                headers={"WWW-Authenticate": "Bearer"},
            )
        limit = RateLimitItemPerMinute(key.requests_per_minute)
        if not self._limiter.hit(limit, key.id):
            reset_at = self._limiter.get_window_stats(limit, key.id).reset_time
            wait_s = max(1, int(reset_at - time.time()) + 1)
            raise Problem(
                429,
                f"API key {key.id} may ask {key.requests_per_minute} times a minute; try again in {wait_s} s",
                headers={"Retry-After": str(wait_s)},
            )
        return key

    def _found(self, text: str) -> ApiKey | None:
        now = self._clock()
        with self._lock:
            known = self._known.get(text)
        if known is not None and now - known[0] < _REMEMBERED_S:
            return known[1]
        with self._services.reading() as connection:
            key = found_key(connection, text)
        with self._lock:
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[text] = (now, key)
        return key


class Forgeries:
    """Counts forged deliveries by address, so that who sends them by the thousand learns nothing more."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count(self, address: str) -> None:
        """Count one; raises Problem where there were too many."""
        if not self._limiter.hit(_FORGERIES, address):
            raise Problem(
                429,
                f"more than {_FORGERIES.amount} deliveries that are not genuine came from this address in a minute;"
                " check what signs them, and the clocks",
                headers={"Retry-After": "60"},
            )


def services_of(request: Request) -> Services:
    """Return what the app works with."""
    services: Services = request.app.state.services
    return services


def needing(*scopes: Scope) -> Callable[..., ApiKey]:
    """Return a dependency that admits keys with any of these scopes."""

    def admit(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> ApiKey:
        if credentials is None:
            raise Problem(
                401,
                "there is no API key in this request; send the header `Authorization: Bearer KEY`",
                headers={"WWW-Authenticate": "Bearer"},
            )
        access: Access = request.app.state.access
        key = access.admitted(credentials.credentials)
        if not set(scopes) & set(key.scopes):
            raise Problem(
                403, f"API key {key.id} has scope {', '.join(key.scopes)}; this needs {' or '.join(scopes)}"
            )
        return key

    return admit


AnyService = Annotated[Services, Depends(services_of)]
