"""Sites: settings that hold for all their supply points, effective-dated. Written by use cases."""

from typing import Literal

from ledger.domain.event import Fact, fact_type
from ledger.wire import Instant

Reconnection = Literal["automatic", "confirm", "arm"]


@fact_type("site.settings-changed/1")
class SiteSettingsChanged(Fact, frozen=True, kw_only=True):
    """From `effective_from` the site reconnects in this mode and warns when a balance falls below the threshold."""

    site: str
    effective_from: Instant
    reconnection: Reconnection
    warning_balance_micros: int
