"""Sites: set how a site reconnects and when it warns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from ledger.domain import site as site_stream_of
from ledger.domain.event import Event
from ledger.domain.site import Reconnection, SiteSettingsChanged, in_force
from ledger.store.application import Ledger
from ledger.usecases.attempt import appended
from ledger.usecases.codes import checked_code
from ledger.usecases.conditions import check_account
from ledger.values.errors import InvalidValue
from ledger.values.identity import site_stream
from ledger.values.instants import in_utc
from ledger.values.money import MICROS_PER_UNIT

# What holds for a site that never said otherwise: nothing closes without somebody's consent.
FIRST_RECONNECTION: Reconnection = "confirm"
FIRST_WARNING_BALANCE_MICROS = 10 * MICROS_PER_UNIT


@dataclass(frozen=True, slots=True)
class SiteSet:
    """A site's settings from an instant on; the position is 0 where they stood like this already."""

    settings: SiteSettingsChanged
    position: int


def checked_reconnection(text: str) -> Reconnection:
    """Return the mode; raises InvalidValue where it is none."""
    try:
        reconnection: Reconnection = msgspec.convert(text, Reconnection)
    except msgspec.ValidationError:
        raise InvalidValue(f"reconnection {text!r} is not known; use automatic, confirm or arm") from None
    return reconnection


def change_site_settings(
    ledger: Ledger,
    *,
    site: str,
    effective_from: datetime,
    now: datetime,
    reconnection: Reconnection | None = None,
    warning_balance_micros: int | None = None,
    landlord: str | None = None,
    requires_commissioning: bool | None = None,
) -> SiteSet:
    """Set how a site reconnects, below which balance it warns (micro-units), and who pays for what is vacant.

    With `requires_commissioning` no supply point is cut for credit before it was commissioned. What is not given
    stays as it stands then, or is a new site's first; what changes nothing is not booked.
    """
    checked_code(site, what="site")
    effective_from = in_utc(effective_from)
    if landlord:
        check_account(ledger, landlord)
    stream = site_stream(site)
    settled: list[SiteSettingsChanged] = []

    def decide() -> Sequence[Event]:
        history, version = ledger.folded(stream, site_stream_of.evolve, site_stream_of.UNKNOWN)
        standing = in_force(history, effective_from)
        mode, warning_micros, pays, commissioning = _content(standing)
        fact = SiteSettingsChanged(
            site=site,
            effective_from=effective_from,
            reconnection=mode if reconnection is None else reconnection,
            warning_balance_micros=warning_micros if warning_balance_micros is None else warning_balance_micros,
            landlord=pays if landlord is None else landlord,
            requires_commissioning=commissioning if requires_commissioning is None else requires_commissioning,
            recorded_at=now,
        )
        settled[:] = [fact]
        is_change = standing is None or _content(standing) != _content(fact)
        return [Event(stream, version + 1, fact)] if is_change else []

    position = appended(ledger, decide)
    return SiteSet(settled[0], position)


def _content(settings: SiteSettingsChanged | None) -> tuple[Reconnection, int, str, bool]:
    if settings is None:
        return FIRST_RECONNECTION, FIRST_WARNING_BALANCE_MICROS, "", False
    return (
        settings.reconnection,
        settings.warning_balance_micros,
        settings.landlord,
        settings.requires_commissioning,
    )
