"""Why an order was given: the decision taken again, from the ledger alone, at the position that the order names.

What is no event is taken from the order's own figures: when the meter was last read. That the concentrator was heard
of is implied by the order's being there.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain import cuts as cuts_domain
from ledger.domain import supply as supply_domain
from ledger.domain import tariff as tariff_domain
from ledger.domain.cuts import Cuts
from ledger.domain.event import Fact
from ledger.domain.relay import OrderIssued, Relay
from ledger.domain.supply import Supply
from ledger.domain.tariff import TariffHistory
from ledger.store.log import Logged
from ledger.store.mapper import fact_of
from ledger.values.errors import NotFound
from ledger.values.identity import cuts_stream, meter_stream, relay_stream, site_stream, supply_stream, tariff_stream
from projections.conditions import CLEAR, changed
from projections.crossing import Entry, entry_of
from projections.decide import Decision, decide
from projections.picture import Picture
from projections.situation import Situation
from projections.switching import Switching, switched

_STREAM = """
SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events
WHERE originator_id = %s AND notification_id <= %s ORDER BY originator_version
"""
_NEWEST = """
SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events
WHERE originator_id = %s AND notification_id <= %s ORDER BY originator_version DESC LIMIT 1
"""
_OF_ACCOUNT = """
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state
FROM projections.account_entries AS n JOIN ledger.events AS e ON e.notification_id = n.position
WHERE n.account = %s AND n.position <= %s ORDER BY n.position
"""


@dataclass(frozen=True, slots=True)
class Justification:
    """An order with the situation that it was given in, what is decided there, and how that differs, if it does."""

    order: OrderIssued
    situation: Situation | None
    decision: Decision | None
    differences: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the same is decided again."""
        return not self.differences


class Past(Protocol):
    """The ledger as it was at a position: streams up to there, and the events that touched an account."""

    position: int

    def stream(self, stream: UUID) -> Iterator[Logged]:
        """Yield a stream's events."""

    def newest(self, stream: UUID) -> Fact | None:
        """Return a stream's newest fact, None where it has none."""

    def of_account(self, account: str) -> Iterator[Logged]:
        """Yield the events that touched an account, in order."""

    def tariff_of(self, code: str) -> TariffHistory | None:
        """Return a tariff's versions."""


@dataclass(slots=True)
class _Past:
    """The ledger in PostgreSQL as it was at a position."""

    connection: Connection[Any]
    position: int
    tariffs: dict[str, TariffHistory | None] = field(default_factory=dict)

    def stream(self, stream: UUID) -> Iterator[Logged]:
        yield from self._read(_STREAM, (stream, self.position))

    def newest(self, stream: UUID) -> Fact | None:
        return next((event.fact for event in self._read(_NEWEST, (stream, self.position))), None)

    def of_account(self, account: str) -> Iterator[Logged]:
        yield from self._read(_OF_ACCOUNT, (account, self.position))

    def tariff_of(self, code: str) -> TariffHistory | None:
        if code not in self.tariffs:
            history: TariffHistory | None = None
            for event in self.stream(tariff_stream(code)):
                history = tariff_domain.evolve(history, event.fact)
            self.tariffs[code] = history
        return self.tariffs[code]

    def _read(self, query: Any, parameters: Sequence[object]) -> Iterator[Logged]:
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            for row in cursor.execute(query, parameters):
                yield Logged(row[0], row[1], row[2], fact_of(row[3], bytes(row[4])))


def orders_of(connection: Connection[Any], *, supply: str) -> list[OrderIssued]:
    """Return every order to a supply's relay, the oldest first."""
    past = _Past(connection, 2**62)
    return [event.fact for event in past.stream(relay_stream(supply)) if isinstance(event.fact, OrderIssued)]


def justified(connection: Connection[Any], *, supply: str, sequence: int | None = None) -> Justification:
    """Take the decision behind an order again, the newest one where no sequence is given. Raises NotFound."""
    orders = orders_of(connection, supply=supply)
    found = [order for order in orders if sequence is None or order.sequence == sequence]
    if not found:
        which = "no order" if sequence is None else f"no order {sequence}"
        raise NotFound(f"there is {which} to the relay of supply point {supply!r}")
    order = found[-1]
    told = _Past(connection, 2**62).stream(relay_stream(order.supply))
    return taken_again(_Past(connection, order.ledger_position), order, told)


def taken_again(past: Past, order: OrderIssued, told: Iterable[Logged]) -> Justification:
    """Take the decision behind an order again; `told` is its relay's whole stream."""
    situation = situation_at(past, order)
    if situation is None:
        return Justification(order, None, None, ("nothing is decided on this supply point at that position",))
    decision = decide(situation, now=order.issued_at)
    with_it = _told_with(told, order)
    return Justification(order, situation, decision, tuple(_differences(order, situation, decision, with_it)))


def situation_at(past: Past, order: OrderIssued) -> Situation | None:
    """Return the situation in which an order was given, from the events up to the position that it names."""
    picture = picture_of(past, [order.supply], now=order.issued_at)
    if order.reading_at is not None:
        picture.readings[order.supply] = order.reading_at
    return picture.situation(order.supply, now=order.issued_at)


def picture_of(past: Past, codes: Sequence[str], *, now: datetime) -> Picture:
    """Return a picture of supplies by nothing but the ledger's events; nobody is counted as cut lately."""
    supplies = {code: _supply(past, code) for code in codes}
    occupants = {row.account for supply in supplies.values() if (row := supply.occupancy_at(now)) is not None}
    sites = {supply.site for supply in supplies.values()}
    entries: dict[str, list[Entry]] = {account: [] for account in occupants}
    conditions = dict.fromkeys(occupants, CLEAR)
    for account in occupants:
        for event in past.of_account(account):
            conditions[account] = changed(conditions[account], account, event.fact)
            entry = entry_of(event.position, account, event.fact)
            if entry is not None:
                entries[account].append(entry)
    picture = Picture(
        position=past.position,
        begin=0,
        supplies=supplies,
        sites={site: list(past.stream(site_stream(site))) for site in sites},
        balances={account: sum(entry.change_micros for entry in rows) for account, rows in entries.items()},
        relays={code: _switching(past, code) for code in codes},
        conditions=conditions,
        cuts={site: _cuts(past, site) for site in sites},
        balances_at=past.position,
        relays_at=past.position,
        conditions_at=past.position,
        tariff_of=past.tariff_of,
        entries=entries,
        earlier={account: ([], True) for account in occupants},
        # How many others were cut is told by the batch that would have been held instead.
        site_sizes=dict.fromkeys(sites, 0),
    )
    for code in codes:
        measured = past.newest(meter_stream(code))
        if measured is not None:
            picture.read(code, measured)
    return picture


def _switching(past: Past, code: str) -> Switching:
    switching = Switching(Relay(supply=code))
    for event in past.stream(relay_stream(code)):
        switching = switched(switching, event.fact)
    return switching


def _cuts(past: Past, site: str) -> Cuts:
    cuts = Cuts(site)
    for event in past.stream(cuts_stream(site)):
        cuts = cuts_domain.evolve(cuts, event.fact)
    return cuts


def _supply(past: Past, code: str) -> Supply:
    supply: Supply | None = None
    for event in past.stream(supply_stream(code)):
        supply = supply_domain.evolve(supply, event.fact)
    if supply is None:
        raise NotFound(f"there was no supply point {code!r} at position {past.position}")
    return supply


def _told_with(told: Iterable[Logged], order: OrderIssued) -> list[str]:
    """Return what the same decision told before the order, by topic."""
    return [
        event.fact.topic
        for event in told
        if event.position > order.ledger_position
        and event.version < order.sequence
        and event.fact.recorded_at == order.recorded_at
    ]


def _differences(order: OrderIssued, situation: Situation, decision: Decision, told: Sequence[str]) -> Iterator[str]:
    if decision.order is None:
        yield f"the order was to {order.action}; nothing is ordered in that situation"
    elif (decision.order.action, decision.order.reason) != (order.action, order.reason):
        yield (
            f"the order was to {order.action} for {order.reason};"
            f" {decision.order.action} for {decision.order.reason} is decided"
        )
    if [fact.topic for fact in decision.facts] != list(told):
        yield f"{', '.join(told) or 'nothing'} was told with it; {[fact.topic for fact in decision.facts]} follows"
    figures: list[tuple[str, object, object]] = [
        ("the account", order.account, situation.account),
        ("the balance", order.balance_micros, situation.standing.balance_micros),
        ("the line", order.threshold_micros, situation.standing.threshold_micros),
    ]
    yield from (f"{what} was {was!r}, it is {now!r}" for what, was, now in figures if was != now)
