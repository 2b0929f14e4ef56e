"""Sites: set how a site reconnects and when it warns."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ledger.domain.event import Event
from ledger.domain.site import Reconnection, SiteSettingsChanged
from ledger.store.application import Ledger
from ledger.usecases.attempt import appended
from ledger.usecases.codes import checked_code
from ledger.values.errors import InvalidValue
from ledger.values.identity import site_stream
from ledger.values.instants import in_utc


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
    reconnection: Reconnection,
    warning_balance_micros: int,
    effective_from: datetime,
    now: datetime,
) -> int:
    """Set a site's reconnection mode and the balance below which it warns (micro-units), from an instant on."""
    checked_code(site, what="site")
    effective_from = in_utc(effective_from)
    stream = site_stream(site)

    def decide() -> Sequence[Event]:
        _, version = ledger.folded(stream, lambda state, _: state, None)
        fact = SiteSettingsChanged(
            site=site,
            effective_from=effective_from,
            reconnection=reconnection,
            warning_balance_micros=warning_balance_micros,
            recorded_at=now,
        )
        return [Event(stream, version + 1, fact)]

    return appended(ledger, decide)
