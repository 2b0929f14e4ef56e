"""Locks and consents on a real ledger: what is refused says why, and changes nothing."""

from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any, Literal

import pytest
from psycopg import Connection

from ledger.domain.event import Event, Fact
from ledger.domain.relay import CloseConsented, LockCleared, LockSet, Relay, evolve
from ledger.domain.site import Reconnection
from ledger.store.application import Ledger
from ledger.store.log import head_of
from ledger.usecases.equip import SupplyPoint, equip
from ledger.usecases.relays import clear_lock, consent_to_close, set_lock
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import MeterFacts
from ledger.usecases.tariffs import publish_tariff
from ledger.values.errors import Conflict, InvalidValue, LedgerError, NotFound, Refused
from ledger.values.identity import relay_stream
from ledger.wire import RelayOutcome
from tests.ledger.builders import FLAT_TARIFF, MOVED_IN
from tests.projections.builders import concluded, order_issued

NOW = MOVED_IN + timedelta(hours=1)


@pytest.fixture
def rooms(ledger: Ledger) -> Ledger:
    """Rooms 1 (register) and 2 (intervals) on a site that asks for consent, room 3 vacant."""
    change_site_settings(ledger, site="north", effective_from=MOVED_IN, now=MOVED_IN)
    publish_tariff(ledger, text=FLAT_TARIFF, effective_from=MOVED_IN, note="", now=MOVED_IN)
    _room(ledger, 1, "register")
    _room(ledger, 2, "interval")
    steps = equip(ledger, _point(3, "register"), now=MOVED_IN)
    for _ in range(3):
        next(steps)
    return ledger


def _room(ledger: Ledger, number: int, measures: Literal["register", "interval"]) -> None:
    for _ in equip(ledger, _point(number, measures), now=MOVED_IN):
        pass


def _point(number: int, measures: Literal["register", "interval"]) -> SupplyPoint:
    return SupplyPoint(
        supply=f"room-{number}",
        site="north",
        concentrator="c1",
        meter=MeterFacts(serial=f"m{number}", profile="p", max_power_w=1, measures=measures),
        account=f"room-{number}-a",
        tariff="flat",
        opening_milliwh=0,
    )


def happened(ledger: Ledger, *facts: Fact, supply: str = "room-1") -> None:
    """What `control` and the edge did before."""
    _, version = ledger.folded(relay_stream(supply), evolve, Relay(supply=supply))
    for number, fact in enumerate(facts, version + 1):
        ledger.append(Event(relay_stream(supply), number, fact))


def lock(cause: Literal["credit", "operator"]) -> LockSet:
    return LockSet(
        supply="room-1", cause=cause, account="room-1-a", balance_micros=0, ledger_position=1, recorded_at=MOVED_IN
    )


def unlock(cause: Literal["credit", "operator"]) -> LockCleared:
    return LockCleared(
        supply="room-1", cause=cause, account="room-1-a", balance_micros=1, ledger_position=1, recorded_at=MOVED_IN
    )


OPENED = order_issued("room-1", "room-1-a", "open", sequence=2, at=MOVED_IN)
CLOSED = order_issued("room-1", "room-1-a", "close", sequence=5, at=MOVED_IN)


def relay_of(ledger: Ledger, supply: str = "room-1") -> Relay:
    return ledger.folded(relay_stream(supply), evolve, Relay(supply=supply))[0]


def consent(ledger: Ledger, supply: str = "room-1") -> int:
    return consent_to_close(ledger, supply=supply, channel="app", now=NOW)


def put_lock(ledger: Ledger, supply: str = "room-1", reason: str = "works", operator: str = "op-7") -> int:
    return set_lock(ledger, supply=supply, reason=reason, operator=operator, now=NOW)


def take_lock(ledger: Ledger, supply: str = "room-1") -> int:
    return clear_lock(ledger, supply=supply, reason="works-done", operator="op-7", now=NOW)


def _site(ledger: Ledger, mode: Reconnection) -> None:
    change_site_settings(ledger, site="north", reconnection=mode, effective_from=MOVED_IN, now=MOVED_IN)


def test_a_consent_is_kept_with_its_account_and_its_channel(rooms: Ledger) -> None:
    happened(rooms, lock("credit"), OPENED, unlock("credit"))
    consent(rooms)
    newest: Any = list(rooms.events.get(relay_stream("room-1")))[-1]
    assert newest.fact == CloseConsented(supply="room-1", account="room-1-a", channel="app", recorded_at=NOW)
    assert relay_of(rooms).has_consent(NOW)


@pytest.mark.parametrize("outcome", [None, "failed", "expired", "refused"])
def test_a_closing_that_came_to_nothing_can_be_consented_to_again(
    rooms: Ledger, outcome: RelayOutcome | None
) -> None:
    happened(rooms, lock("credit"), OPENED, unlock("credit"), CLOSED)
    if outcome:
        happened(rooms, concluded(CLOSED, outcome, at=MOVED_IN))
    consent(rooms)
    assert relay_of(rooms).has_consent(NOW)


Command = Callable[[Ledger], object]
REFUSED: list[tuple[str, list[Fact], Command, type[LedgerError], list[str]]] = [
    ("nobody's supply", [], lambda it: consent(it, "room-9"), NotFound, ["'room-9'", "register it first"]),
    ("never switched", [], consent, Refused, ["is on, or on its way"]),
    ("no credit", [lock("credit"), OPENED], consent, Refused, ["held off by credit", "top the account up"]),
    ("operator's lock", [lock("operator"), OPENED], consent, Refused, ["by operator", "have an operator unlock"]),
    ("closed already", [lock("credit"), OPENED, unlock("credit"), CLOSED, concluded(CLOSED, "confirmed", at=NOW)],
     consent, Refused, ["is on, or on its way"]),
    ("no relay", [], lambda it: consent(it, "room-2"), Refused, ["no meter with a relay"]),
    ("vacant", [], lambda it: consent(it, "room-3"), Refused, ["vacant"]),
    ("a channel's name", [], lambda it: consent_to_close(it, supply="room-1", channel="by phone", now=NOW),
     InvalidValue, ["'by phone'"]),
    ("locked twice", [lock("operator")], put_lock, Refused, ["locked by an operator already", "unlock it first"]),
    ("locking files", [], lambda it: put_lock(it, "room-2"), Refused, ["no meter with a relay"]),
    ("locking a vacant one", [], lambda it: put_lock(it, "room-3"), Refused, ["vacant"]),
    ("a reason in prose", [], lambda it: put_lock(it, reason="tenant Li moved"), InvalidValue, ["tenant Li moved"]),
    ("an operator's name", [], lambda it: put_lock(it, operator="Mrs. Li"), InvalidValue, ["'Mrs. Li'"]),
    ("no lock to clear", [], take_lock, Refused, ["no operator's lock to clear"]),
    ("another's lock", [lock("credit")], take_lock, Refused, ["no operator's lock", "held off by credit"]),
    ("unlocking nobody's", [], lambda it: take_lock(it, "room-9"), NotFound, ["'room-9'"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "command", "error", "told"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_is_refused_changes_nothing_and_says_why(
    rooms: Ledger,
    writer: Connection[Any],
    before: list[Fact],
    command: Command,
    error: type[LedgerError],
    told: list[str],
) -> None:
    happened(rooms, *before)
    head = head_of(writer)
    with pytest.raises(error) as caught:
        command(rooms)
    for text in told:
        assert text in str(caught.value)
    assert head_of(writer) == head


@pytest.mark.parametrize(("mode", "told"), [("automatic", "by itself"), ("arm", "--reconnection confirm")])
def test_a_site_that_asks_for_no_consent_keeps_none(rooms: Ledger, mode: Reconnection, told: str) -> None:
    happened(rooms, lock("credit"), OPENED, unlock("credit"))
    _site(rooms, mode)
    with pytest.raises(Refused, match=told):
        consent(rooms)


def test_an_operators_lock_has_its_reason_and_the_operators_id(rooms: Ledger) -> None:
    put_lock(rooms)
    assert relay_of(rooms).locks == {"operator"}
    take_lock(rooms)
    assert relay_of(rooms).locks == frozenset()
    facts: list[Any] = [event.fact for event in rooms.events.get(relay_stream("room-1"))]  # type: ignore[attr-defined]
    assert [(f.cause, f.reason, f.operator, f.account) for f in facts] == [
        ("operator", "works", "op-7", "room-1-a"),
        ("operator", "works-done", "op-7", "room-1-a"),
    ]


def test_a_lock_that_has_ended_meanwhile_is_still_told_under_its_key(rooms: Ledger) -> None:
    until = NOW + timedelta(hours=1)
    words: dict[str, Any] = {"supply": "room-1", "reason": "works", "operator": "op-7"}
    position = set_lock(rooms, until=until, now=NOW, key="k1", **words)
    later = NOW + timedelta(hours=2)
    for same in (until, until.astimezone(timezone(timedelta(hours=8)))):
        assert set_lock(rooms, until=same, now=later, key="k1", **words) == position
    with pytest.raises(Conflict, match="reason was 'works', is 'fire'"):
        set_lock(rooms, until=until, now=later, key="k1", **words | {"reason": "fire"})
    with pytest.raises(Refused, match="is over already"):
        set_lock(rooms, until=until, now=later, key="k2", **words)


def test_a_consent_ends_with_whatever_comes_after_it() -> None:
    consented = CloseConsented(supply="room-1", account="room-1-a", channel="app", recorded_at=NOW)
    ends: list[Fact] = [
        lock("operator"),
        unlock("credit"),
        order_issued("room-1", "room-1-a", "open", sequence=9, at=NOW),
    ]
    relay = evolve(evolve(Relay(supply="room-1"), OPENED), consented)
    assert relay.has_consent(NOW)
    assert not relay.has_consent(NOW + timedelta(minutes=15))
    for end in ends:
        assert not evolve(relay, end).has_consent(NOW)
    # It lives on with the order that it is for, until that is confirmed.
    ordered = evolve(relay, CLOSED)
    assert ordered.has_consent(NOW)
    assert evolve(ordered, concluded(CLOSED, "failed", at=NOW)).has_consent(NOW)
    assert not evolve(ordered, concluded(CLOSED, "confirmed", at=NOW)).has_consent(NOW)
    # The confirmation of an older order says nothing of it.
    assert evolve(ordered, concluded(OPENED, "confirmed", at=NOW)).has_consent(NOW)
