"""Sites: settings that hold for all their supply points, effective-dated. Written by use cases."""

from datetime import datetime
from typing import Literal

from ledger.domain.event import Fact, fact_type

Reconnection = Literal["automatic", "confirm", "arm"]


@fact_type("site.settings-changed/1")
class SiteSettingsChanged(Fact, frozen=True, kw_only=True):
    """From `effective_from` the site reconnects in this mode and warns when a balance falls below the threshold."""

    site: str
    effective_from: datetime
    reconnection: Reconnection
    warning_balance_micros: int
