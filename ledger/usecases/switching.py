"""How a site switches: its rules, its timetables, and the cuts that wait for an operator."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ledger.domain import cuts as cuts_stream_of
from ledger.domain import supply as supply_stream_of
from ledger.domain.cuts import RELEASE_LASTS, Cuts, CutsDismissed, CutsHeld, CutsReleased
from ledger.domain.event import Event, Fact
from ledger.domain.supply import Supply
from ledger.domain.switching_rules import SwitchingRules, SwitchingRulesSet, rules_at
from ledger.domain.timetable import Timetable, TimetableSet
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.usecases.attempt import appended, checked_key
from ledger.usecases.codes import checked_code
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.identity import cuts_stream, site_stream, supply_stream
from ledger.values.instants import in_utc

# Durations beyond a quarter of a year are typing errors.
_LONGEST_S = 90 * 86_400


def switching_rules(ledger: Ledger, *, site: str, at: datetime) -> SwitchingRules:
    """Return the rules by which a site switches at an instant."""
    return rules_at(_site_facts(ledger, site)[0], at)


def set_switching_rules(
    ledger: Ledger, *, site: str, effective_from: datetime, operator: str, now: datetime, **changes: int
) -> tuple[SwitchingRules, int]:
    """Set rules of a site from an instant on; what is not given stays. Return what holds then, and the position.

    The position is 0 where they stood like this already. Raises NotFound for a site without settings, InvalidValue
    for a rule that there is none of, or for a figure that cannot be meant.
    """
    checked_code(operator, what="operator")
    effective_from = in_utc(effective_from)
    _check(changes)
    settled: list[SwitchingRules] = []

    def decide() -> Sequence[Event]:
        facts, version = _site_facts(ledger, site)
        if not facts:
            raise NotFound(f"there is no site {site!r}; set it up first: wattledger site set {site}")
        standing = rules_at(facts, effective_from)
        rules = msgspec.structs.replace(standing, **changes)
        settled[:] = [rules]
        if rules == standing:
            return []
        fact = SwitchingRulesSet(
            site=site, effective_from=effective_from, rules=rules, operator=operator, recorded_at=now
        )
        return [Event(site_stream(site), version + 1, fact)]

    position = appended(ledger, decide)
    return settled[0], position


def set_timetable(
    ledger: Ledger,
    *,
    site: str,
    timetable: Timetable | None,
    effective_from: datetime,
    operator: str,
    now: datetime,
    account_class: str = "",
    supply: str = "",
) -> int:
    """Set a timetable from an instant on, for a site, an account class or one supply point there; None withdraws it.

    Returns the position, 0 where it stands like this already. Raises NotFound for a site without settings and for a
    supply point that is not there.
    """
    checked_code(operator, what="operator")
    effective_from = in_utc(effective_from)
    scope = (checked_code(account_class, what="account class") if account_class else "", supply)
    if supply:
        _check_is_at(ledger, supply, site)

    def decide() -> Sequence[Event]:
        facts, version = _site_facts(ledger, site)
        if not facts:
            raise NotFound(f"there is no site {site!r}; set it up first: wattledger site set {site}")
        rows = [row for row in facts if isinstance(row, TimetableSet) and (row.account_class, row.supply) == scope]
        begun = [row for row in rows if row.effective_from <= effective_from]
        newest = max(reversed(begun), key=lambda row: row.effective_from, default=None)
        if (None if newest is None else newest.timetable) == timetable:
            return []
        fact = TimetableSet(
            site=site,
            effective_from=effective_from,
            timetable=timetable,
            operator=operator,
            account_class=account_class,
            supply=supply,
            recorded_at=now,
        )
        return [Event(site_stream(site), version + 1, fact)]

    return appended(ledger, decide)


def timetables_of(ledger: Ledger, *, site: str) -> list[TimetableSet]:
    """Return every timetable that a site ever set, as recorded."""
    return [row for row in _site_facts(ledger, site)[0] if isinstance(row, TimetableSet)]


def held_cuts(ledger: Ledger, *, site: str) -> Cuts:
    """Return a site's cuts that wait, or are released or spared."""
    cuts: Cuts = ledger.folded(cuts_stream(site), cuts_stream_of.evolve, Cuts(site))[0]
    return cuts


def release_cuts(ledger: Ledger, *, site: str, reason: str, operator: str, now: datetime, key: str = "") -> int:
    """Let a site's held cuts happen, where they are still due; a reason code says what was found.

    The same `key` with the same content decides once and returns that position, whatever batch waits by then: nobody
    has looked at that one. Raises Conflict for a key that came with other content.
    """
    return _decided(ledger, CutsReleased, site, reason, operator, now, lasts=RELEASE_LASTS, key=key)


def dismiss_cuts(
    ledger: Ledger,
    *,
    site: str,
    reason: str,
    operator: str,
    now: datetime,
    spare: timedelta = timedelta(days=1),
    key: str = "",
) -> int:
    """Cut none of a site's held supplies for a while, a day if not given; reason and key are as of a release."""
    if not timedelta(minutes=1) <= spare <= timedelta(days=31):
        raise InvalidValue(f"{spare} is no time to spare them for; give a minute to 31 days")
    return _decided(ledger, CutsDismissed, site, reason, operator, now, lasts=spare, key=key)


def cuts_decided(ledger: Ledger, *, position: int) -> list[str]:
    """Return the supply points whose held cuts the decision at a position was on, by code."""
    logged = ledger.event_at(position)
    if logged is None or not isinstance(logged.fact, CutsReleased | CutsDismissed):
        raise NotFound(f"no decision on held cuts stands at position {position}; check the position")
    decision, nobody = logged.fact, frozenset[str]()

    def evolve(supplies: frozenset[str], fact: Fact) -> frozenset[str]:
        if isinstance(fact, CutsHeld) and fact.batch == decision.batch:
            return supplies | set(fact.supplies)
        return supplies

    return sorted(ledger.folded(cuts_stream(decision.site), evolve, nobody)[0])


def _decided(
    ledger: Ledger,
    kind: type[CutsReleased] | type[CutsDismissed],
    site: str,
    reason: str,
    operator: str,
    now: datetime,
    *,
    lasts: timedelta,
    key: str,
) -> int:
    checked_code(reason, what="reason")
    checked_code(operator, what="operator")
    what = "release-cuts" if kind is CutsReleased else "dismiss-cuts"
    content = {"site": site, "reason": reason, "operator": operator, "lasts_s": f"{lasts.total_seconds():.0f}"}
    command = Command(f"{what}/{checked_key(key)}", content) if key else None

    def decide() -> Sequence[Event]:
        cuts, version = ledger.folded(cuts_stream(site), cuts_stream_of.evolve, Cuts(site))
        if not cuts.is_open:
            raise Refused(f"no cuts wait at site {site!r}; `wattledger relays held-batch list` shows those that do")
        fact = kind(site=site, batch=cuts.batch, reason=reason, operator=operator, until=now + lasts, recorded_at=now)
        return [Event(cuts_stream(site), version + 1, fact)]

    return appended(ledger, decide, command=command)


def _check(changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if name not in SwitchingRules.__struct_fields__:
            raise InvalidValue(f"there is no rule {name!r}; there are {', '.join(SwitchingRules.__struct_fields__)}")
        highest = _LONGEST_S if name.endswith("_s") else 100 if name.endswith("_percent") else 100_000
        if not 0 <= value <= highest:
            raise InvalidValue(f"{name} {value} is not between 0 and {highest}")


def _check_is_at(ledger: Ledger, supply: str, site: str) -> None:
    state: Supply | None = ledger.folded(supply_stream(supply), supply_stream_of.evolve, None)[0]
    if state is None or state.site != site:
        raise NotFound(f"there is no supply point {supply!r} at site {site!r}; register it first, or check the code")


def _site_facts(ledger: Ledger, site: str) -> tuple[tuple[Fact, ...], int]:
    checked_code(site, what="site")
    nothing: tuple[Fact, ...] = ()
    return ledger.folded(site_stream(site), lambda facts, fact: (*facts, fact), nothing)
