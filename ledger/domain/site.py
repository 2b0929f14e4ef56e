"""Sites: settings that hold for all their supply points, effective-dated. Written by use cases."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from ledger.domain.event import Fact, fact_type
from ledger.wire import Instant

Reconnection = Literal["automatic", "confirm", "arm"]


@fact_type("site.settings-changed/1")
class SiteSettingsChanged(Fact, frozen=True, kw_only=True):
    """From `effective_from` the site reconnects in this mode and warns when a balance falls below the threshold.

    `landlord` is the account that pays for its vacant supply points, empty where none is named. With
    `requires_commissioning` none of its supply points is cut for credit before its meter was commissioned.
    """

    site: str
    effective_from: Instant
    reconnection: Reconnection
    warning_balance_micros: int
    landlord: str = ""
    requires_commissioning: bool = False


History = tuple[SiteSettingsChanged, ...]
UNKNOWN: History = ()


def evolve(history: History, fact: Fact) -> History:
    """Apply a fact of the stream; validation was done before it was recorded."""
    if not isinstance(fact, SiteSettingsChanged):
        if fact.topic.startswith("site."):
            # Its credit policies are folded by whoever asks for them (`ledger.domain.credit.policy`).
            return history
        raise AssertionError(f"{type(fact).__name__} does not belong to a site stream")
    return (*history, fact)


def in_force(history: Iterable[SiteSettingsChanged], instant: datetime) -> SiteSettingsChanged | None:
    """Return the settings that took effect last, given as recorded; of two from one instant, the later recorded."""
    begun = [row for row in history if row.effective_from <= instant]
    return max(reversed(begun), key=lambda row: row.effective_from, default=None)
