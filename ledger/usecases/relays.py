"""Relays: people lock and unlock for a cause, force on, and consent to being switched on; `control` orders the rest.

Each cause of being off is its own lock; a supply is closed only when none holds it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ledger.domain import relay as relay_stream_of
from ledger.domain import site as site_stream_of
from ledger.domain import supply as supply_stream_of
from ledger.domain.event import Event, Fact
from ledger.domain.relay import (
    SET_BY_PEOPLE,
    CloseConsented,
    ForcedOn,
    ForcingEnded,
    LockCause,
    LockCleared,
    LockSet,
    Relay,
)
from ledger.domain.site import SiteSettingsChanged, in_force
from ledger.domain.supply import Supply
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.usecases.attempt import appended, checked_key
from ledger.usecases.codes import checked_code
from ledger.usecases.money.limits import check_two_people
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.identity import relay_stream, site_stream, supply_stream
from ledger.values.instants import in_utc

CREDIT: Final = "credit"
OPERATOR: Final = "operator"
MAINTENANCE: Final = "maintenance"
LONGEST_FORCING = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class _Switchable:
    """A supply point on whose relay `control` decides: its occupant and its site's settings."""

    supply: str
    account: str
    settings: SiteSettingsChanged


def consent_to_close(ledger: Ledger, *, supply: str, channel: str, now: datetime, key: str = "") -> int:
    """Take a consumer's consent to being switched on, told through a channel; `control` orders it, once.

    Raises NotFound for an unknown supply point, Refused where a lock is set, nothing is to be closed, or its site
    asks for no consent. As with all that is done here, the same `key` with the same content has one effect, and
    returns where that stands; Conflict is raised for a key that came with other content.
    """
    checked_code(channel, what="channel")

    def fact(relay: Relay) -> Fact:
        switchable = _switchable(ledger, supply, now)
        _check_mode(switchable)
        if relay.locks:
            raise Refused(
                f"supply point {supply!r} is held off by {', '.join(sorted(relay.locks))}; {_remedies(relay)}, and"
                " consent when that is through: it takes a second or two"
            )
        if not relay.is_to_be_closed(now):
            raise Refused(f"supply point {supply!r} is on, or on its way to be; there is nothing to consent to")
        return CloseConsented(supply=supply, account=switchable.account, channel=channel, recorded_at=now)

    return _appended(ledger, supply, fact, _keyed("consent", key, supply=supply, channel=channel))


def set_lock(
    ledger: Ledger,
    *,
    supply: str,
    reason: str,
    operator: str,
    now: datetime,
    cause: str = OPERATOR,
    until: datetime | None = None,
    key: str = "",
) -> int:
    """Lock a supply point off for a cause, with a reason code and the operator's id; `control` orders it open.

    With `until` the lock ends by itself. Raises InvalidValue for a cause that people do not set, NotFound for an
    unknown supply point, Refused where it is locked for that cause already or has no relay to switch.
    """
    _check_words(reason, operator)
    locked_for = checked_cause(cause)

    def fact(relay: Relay) -> Fact:
        _check_end(until, now)
        switchable = _switchable(ledger, supply, now)
        if cause in relay.locks:
            raise Refused(f"supply point {supply!r} is locked{_by(cause)} already; unlock it first")
        return LockSet(
            supply=supply,
            cause=locked_for,
            account=switchable.account,
            balance_micros=0,
            ledger_position=0,
            reason=reason,
            operator=operator,
            until=until,
            site=switchable.settings.site,
            recorded_at=now,
        )

    words = {"reason": reason, "operator": operator, "cause": cause, "until": _told(until)}
    return _appended(ledger, supply, fact, _keyed("lock", key, supply=supply, **words))


def clear_lock(
    ledger: Ledger,
    *,
    supply: str,
    reason: str,
    operator: str,
    now: datetime,
    cause: str = OPERATOR,
    approved_by: str = "",
    key: str = "",
) -> int:
    """Clear a lock; the supply is switched on as its site reconnects, if nothing else holds it off.

    A lock for maintenance is cleared by whoever set it, or by two people: somebody works there who relies on it.
    Raises NotFound for an unknown supply point, Refused where no such lock is set, naming those that are.
    """
    _check_words(reason, operator)
    locked_for = checked_cause(cause)
    if approved_by:
        checked_code(approved_by, what="second person")

    def fact(relay: Relay) -> Fact:
        occupancy = _supply(ledger, supply).occupancy_at(now)
        if cause not in relay.locks:
            others = f"; it is held off by {', '.join(sorted(relay.locks))}" if relay.locks else ""
            raise Refused(f"supply point {supply!r} has no {_named(cause)} to clear{others}")
        if cause == MAINTENANCE:
            _check_may_clear(relay, operator, approved_by)
        return LockCleared(
            supply=supply,
            cause=locked_for,
            account="" if occupancy is None else occupancy.account,
            balance_micros=0,
            ledger_position=0,
            reason=reason,
            operator=operator,
            approved_by=approved_by,
            recorded_at=now,
        )

    words = {"reason": reason, "operator": operator, "cause": cause, "approved_by": approved_by}
    return _appended(ledger, supply, fact, _keyed("unlock", key, supply=supply, **words))


def force_on(
    ledger: Ledger, *, supply: str, reason: str, operator: str, until: datetime, now: datetime, key: str = ""
) -> int:
    """Let neither credit nor a timetable keep a supply off until an instant, at most a month away.

    Other locks hold, and the site's reconnection mode does: where it asks for consent, that is given as ever. Raises
    NotFound for an unknown supply point, InvalidValue for an end that is none.
    """
    _check_words(reason, operator)

    def fact(_relay: Relay) -> Fact:
        _check_end(until, now)
        if until > now + LONGEST_FORCING:
            raise InvalidValue(
                f"until {until.isoformat()} is more than {LONGEST_FORCING.days} days away; force it again then"
            )
        account = _switchable(ledger, supply, now).account
        return ForcedOn(
            supply=supply, account=account, reason=reason, operator=operator, until=until, recorded_at=now
        )

    words = {"reason": reason, "operator": operator, "until": _told(until)}
    return _appended(ledger, supply, fact, _keyed("force-on", key, supply=supply, **words))


def end_forcing(ledger: Ledger, *, supply: str, reason: str, operator: str, now: datetime, key: str = "") -> int:
    """Let credit and timetables count again before the time is over. Raises Refused where nothing is forced."""
    _check_words(reason, operator)

    def fact(relay: Relay) -> Fact:
        _supply(ledger, supply)
        if not relay.is_forced_on(now):
            raise Refused(f"supply point {supply!r} is not forced on")
        return ForcingEnded(supply=supply, reason=reason, operator=operator, recorded_at=now)

    return _appended(
        ledger, supply, fact, _keyed("end-forcing", key, supply=supply, reason=reason, operator=operator)
    )


def consents_with_top_up(ledger: Ledger, *, account: str, channel: str, now: datetime) -> list[Event]:
    """Return the consents that a top-up carries: to each supply point of the account that is off, or about to be.

    Those that something else than credit holds off are passed over: what that needs is no consumer's to give.
    """
    events = []
    for supply in ledger.occupied_by(account):
        occupancy = _supply(ledger, supply).occupancy_at(now)
        relay, version = ledger.folded(relay_stream(supply), relay_stream_of.evolve, Relay(supply=supply))
        if occupancy is None or occupancy.account != account or relay.locks - {CREDIT}:
            continue
        if relay.locks or relay.is_to_be_closed(now):
            fact = CloseConsented(supply=supply, account=account, channel=channel, with_top_up=True, recorded_at=now)
            events.append(Event(relay_stream(supply), version + 1, fact))
    return events


def checked_cause(text: str) -> LockCause:
    """Return the cause; raises InvalidValue where people do not set locks for it."""
    for cause in SET_BY_PEOPLE:
        if cause == text:
            return cause
    raise InvalidValue(
        f"cause {text!r} is none that people lock for; use {', '.join(SET_BY_PEOPLE)}"
        " (credit and timetables are the ledger's own)"
    )


def _check_may_clear(relay: Relay, operator: str, approved_by: str) -> None:
    held = relay.held_for(MAINTENANCE)
    check_two_people(operator=operator, approved_by=approved_by)
    if held is None or held.operator == operator or approved_by:
        return
    raise Refused(
        f"{held.operator!r} locked supply point {relay.supply!r} for maintenance, and may be at work there:"
        " only they clear it, or two people together"
    )


def _check_end(until: datetime | None, now: datetime) -> None:
    if until is not None and until <= now:
        raise Refused(f"until {until.isoformat()} is over already; give an instant to come")


def _named(cause: str) -> str:
    return "operator's lock" if cause == OPERATOR else f"lock for {cause}"


def _by(cause: str) -> str:
    return " by an operator" if cause == OPERATOR else f" for {cause}"


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
    known = {CREDIT: "top the account up", OPERATOR: "have an operator unlock it"}
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


def _keyed(kind: str, key: str, **content: str) -> Command | None:
    """Return the command under its caller's key; None for a caller without one."""
    return Command(f"{kind}/{checked_key(key)}", content) if key else None


def _told(until: datetime | None) -> str:
    return "" if until is None else in_utc(until).isoformat()


def _appended(ledger: Ledger, supply: str, fact: Callable[[Relay], Fact], command: Command | None) -> int:
    """Append what a rule makes of the relay as it is now; `control` writes to the same stream at any moment.

    The rule looks at everything that may have changed since a key was first used, for then nothing is looked at.
    """
    stream = relay_stream(supply)

    def decide() -> Sequence[Event]:
        relay, version = ledger.folded(stream, relay_stream_of.evolve, Relay(supply=supply))
        return [Event(stream, version + 1, fact(relay))]

    return appended(ledger, decide, command=command)
