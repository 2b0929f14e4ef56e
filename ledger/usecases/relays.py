"""Relays: an operator locks and unlocks, a consumer consents to being switched on; `control` orders the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ledger.domain import relay as relay_stream_of
from ledger.domain import site as site_stream_of
from ledger.domain import supply as supply_stream_of
from ledger.domain.event import Event, Fact
from ledger.domain.relay import CloseConsented, LockCleared, LockSet, Relay
from ledger.domain.site import SiteSettingsChanged, in_force
from ledger.domain.supply import Supply
from ledger.store.application import Ledger
from ledger.usecases.attempt import appended
from ledger.usecases.codes import checked_code
from ledger.values.errors import NotFound, Refused
from ledger.values.identity import relay_stream, site_stream, supply_stream

OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True)
class _Switchable:
    """A supply point on whose relay `control` decides: its occupant and its site's settings."""

    supply: str
    account: str
    settings: SiteSettingsChanged


def consent_to_close(ledger: Ledger, *, supply: str, channel: str, now: datetime) -> int:
    """Take a consumer's consent to being switched on, told through a channel; `control` orders it, once.

    Raises NotFound for an unknown supply point, Refused where a lock is set, nothing is to be closed, or its site
    asks for no consent.
    """
    checked_code(channel, what="channel")
    switchable = _switchable(ledger, supply, now)
    _check_mode(switchable)

    def fact(relay: Relay) -> Fact:
        if relay.locks:
            raise Refused(
                f"supply point {supply!r} is held off by {', '.join(sorted(relay.locks))}; {_remedies(relay)}, and"
                " consent when that is through: it takes a second or two"
            )
        if not relay.is_to_be_closed(now):
            raise Refused(f"supply point {supply!r} is on, or on its way to be; there is nothing to consent to")
        return CloseConsented(supply=supply, account=switchable.account, channel=channel, recorded_at=now)

    return _appended(ledger, supply, fact)


def set_lock(ledger: Ledger, *, supply: str, reason: str, operator: str, now: datetime) -> int:
    """Lock a supply point off for an operator, with a reason code and the operator's id; `control` orders it open.

    Raises NotFound for an unknown supply point, Refused where it is locked so already or has no relay to switch.
    """
    _check_words(reason, operator)
    switchable = _switchable(ledger, supply, now)

    def fact(relay: Relay) -> Fact:
        if OPERATOR in relay.locks:
            raise Refused(f"supply point {supply!r} is locked by an operator already; unlock it first")
        return LockSet(
            supply=supply,
            cause=OPERATOR,
            account=switchable.account,
            balance_micros=0,
            ledger_position=0,
            reason=reason,
            operator=operator,
            recorded_at=now,
        )

    return _appended(ledger, supply, fact)


def clear_lock(ledger: Ledger, *, supply: str, reason: str, operator: str, now: datetime) -> int:
    """Clear an operator's lock; the supply is switched on as its site reconnects, if nothing else holds it off.

    Raises NotFound for an unknown supply point, Refused where no operator's lock is set, naming those that are.
    """
    _check_words(reason, operator)
    occupancy = _supply(ledger, supply).occupancy_at(now)

    def fact(relay: Relay) -> Fact:
        if OPERATOR not in relay.locks:
            others = f"; it is held off by {', '.join(sorted(relay.locks))}" if relay.locks else ""
            raise Refused(f"supply point {supply!r} has no operator's lock to clear{others}")
        return LockCleared(
            supply=supply,
            cause=OPERATOR,
            account="" if occupancy is None else occupancy.account,
            balance_micros=0,
            ledger_position=0,
            reason=reason,
            operator=operator,
            recorded_at=now,
        )

    return _appended(ledger, supply, fact)


def _check_words(reason: str, operator: str) -> None:
    checked_code(reason, what="reason")
    checked_code(operator, what="operator")


def _check_mode(switchable: _Switchable) -> None:
    site, mode = switchable.settings.site, switchable.settings.reconnection
    if mode == "automatic":
        raise Refused(f"site {site!r} reconnects by itself; no consent is asked for, and none is kept")
    if mode == "arm":
        raise Refused(
            f"site {site!r} lets its meters close, no order from here does; to consent from here instead:"
            f" wattledger site set {site} --reconnection confirm"
        )


def _remedies(relay: Relay) -> str:
    known = {"credit": "top the account up", OPERATOR: "have an operator unlock it"}
    return " and ".join(known.get(cause, f"have {cause} cleared") for cause in sorted(relay.locks))


def _switchable(ledger: Ledger, supply: str, now: datetime) -> _Switchable:
    state = _supply(ledger, supply)
    if state.meter is None or state.meter.measures != "register":
        raise Refused(f"supply point {supply!r} has no meter with a relay that orders reach")
    occupancy = state.occupancy_at(now)
    if occupancy is None:
        raise Refused(f"supply point {supply!r} is vacant; relays are decided on where an account pays")
    history = ledger.folded(site_stream(state.site), site_stream_of.evolve, site_stream_of.UNKNOWN)[0]
    settings = in_force(history, now)
    if settings is None:
        raise Refused(
            f"site {state.site!r} has no settings in force, so nothing there is switched;"
            f" set them first: wattledger site set {state.site}"
        )
    return _Switchable(supply, occupancy.account, settings)


def _supply(ledger: Ledger, supply: str) -> Supply:
    state: Supply | None = ledger.folded(supply_stream(supply), supply_stream_of.evolve, None)[0]
    if state is None:
        raise NotFound(f"there is no supply point {supply!r}; register it first, or check the code")
    return state


def _appended(ledger: Ledger, supply: str, fact: Callable[[Relay], Fact]) -> int:
    """Append what a rule makes of the relay as it is now; `control` writes to the same stream at any moment."""
    stream = relay_stream(supply)

    def decide() -> Sequence[Event]:
        relay, version = ledger.folded(stream, relay_stream_of.evolve, Relay(supply=supply))
        return [Event(stream, version + 1, fact(relay))]

    return appended(ledger, decide)
