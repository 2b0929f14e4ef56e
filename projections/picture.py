"""A picture of some supplies at one position of the ledger: read from the projections, carried on by the log."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain import supply as supply_domain
from ledger.domain.event import Fact
from ledger.domain.meter import state_of
from ledger.domain.site import SiteSettingsChanged, in_force
from ledger.domain.supply import Supply
from ledger.store.log import Logged, head_of, newest_of, read_log
from ledger.store.mapper import fact_of
from ledger.values.identity import meter_stream, site_stream, supply_stream
from projections.balances import prepayment_of
from projections.conditions import CLEAR, Condition, accounts_of, changed, conditions
from projections.decide import Situation
from projections.errors import ProjectionsError
from projections.project import tracked
from projections.relay import RELAY_FACTS, switchings
from projections.switching import Switching, switched

# Beyond this the projections are rather waited for: when in doubt the relay stays as it is.
FURTHEST_BEHIND = 50_000
_BATCH = 2_000


class TooFarBehind(ProjectionsError):
    """The projections are too far behind the ledger for a decision."""


@dataclass(slots=True)
class Picture:
    """Supplies, their relays, the balances of their accounts (micro-units) and their sites' settings at `position`.

    Balances, conditions and relays may have been read further back than the rest: events up to their own position
    are in them.
    """

    position: int
    supplies: dict[str, Supply]
    settings: dict[str, list[SiteSettingsChanged]]
    balances: dict[str, int]
    relays: dict[str, Switching]
    conditions: dict[str, Condition]
    balances_at: int
    relays_at: int
    conditions_at: int
    barred: set[str] = field(default_factory=set)
    streams_at: int = field(init=False)

    def __post_init__(self) -> None:
        self.streams_at = self.position

    def follow(self, events: Iterable[Logged]) -> None:
        """Carry the picture on by events in the order of the ledger."""
        for event in events:
            if event.position > self.balances_at:
                self._book(event.fact)
            if event.position > self.conditions_at:
                self._condition(event.fact)
            if event.position > self.relays_at and isinstance(event.fact, RELAY_FACTS):
                self._switch(event.fact.supply, event.fact)
            if event.position > self.streams_at:
                self._change(event.fact)
            self.position = max(self.position, event.position)

    def situations(self, *, now: datetime) -> Iterator[Situation]:
        """Yield what there is to decide on; a supply without meter, occupant or settings is left alone."""
        for code, supply in sorted(self.supplies.items()):
            occupancy = supply.occupancy_at(now)
            settings = in_force(self.settings.get(supply.site, []), now)
            # An account that has only just moved in is not in the picture yet: next time.
            if (
                supply.meter is None
                or settings is None
                or occupancy is None
                or occupancy.account not in self.balances
            ):
                continue
            yield Situation(
                supply=code,
                concentrator=supply.concentrator,
                meter=supply.meter.meter,
                # A meter read from files or load profiles has no relay that we could reach.
                has_relay=supply.meter.measures == "register",
                account=occupancy.account,
                balance_micros=self.balances[occupancy.account],
                warning_balance_micros=settings.warning_balance_micros,
                reconnection=settings.reconnection,
                switching=self.relays[code],
                ledger_position=self.position,
                condition=self.conditions.get(occupancy.account, CLEAR),
                is_barred=code in self.barred,
            )

    def _bar(self, supply: str, fact: Fact) -> None:
        """Take note of whether a meter reads back its own serial, as the newest event of its stream has it."""
        if state_of(fact).read_back:
            self.barred.add(supply)
        else:
            self.barred.discard(supply)

    def _book(self, fact: Fact) -> None:
        for account, change_micros in prepayment_of(fact).items():
            if account in self.balances:
                self.balances[account] += change_micros

    def _condition(self, fact: Fact) -> None:
        for account in accounts_of(fact):
            if account in self.balances:
                self.conditions[account] = changed(self.conditions.get(account, CLEAR), account, fact)

    def _switch(self, supply: str, fact: Fact) -> None:
        if supply in self.relays:
            self.relays[supply] = switched(self.relays[supply], fact)

    def _change(self, fact: Fact) -> None:
        code: str = getattr(fact, "supply", "")
        if fact.topic.startswith("supply.") and code in self.supplies:
            self.supplies[code] = supply_domain.evolve(self.supplies[code], fact)
        elif fact.topic.startswith("meter.") and code in self.supplies:
            self._bar(code, fact)
        elif isinstance(fact, SiteSettingsChanged) and fact.site in self.settings:
            self.settings[fact.site].append(fact)


def taken(connection: Connection[Any], *, supplies: Sequence[str], now: datetime) -> Picture:
    """Take a picture of these supplies at the ledger's head; raises TooFarBehind."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        # One snapshot: rows, their positions and the head belong together.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        head, _ = head_of(connection)
        positions = tracked(connection)
        balances_at, relays_at = positions.get("balances", 0), positions.get("relay", 0)
        conditions_at = positions.get("conditions", 0)
        begin = min(balances_at, relays_at, conditions_at)
        behind = head - begin
        if behind > FURTHEST_BEHIND:
            raise TooFarBehind(f"the projections are {behind} events behind; is `wattledger project` running?")
        folded = _supplies(connection, supplies)
        accounts = {row.account for supply in folded.values() if (row := supply.occupancy_at(now))}
        cursor.execute(
            "SELECT account, (balance * 1000000)::bigint FROM projections.balances WHERE account = ANY(%s)",
            (sorted(accounts),),
        )
        picture = Picture(
            position=head,
            supplies=folded,
            settings=_settings(connection, {supply.site for supply in folded.values()}),
            balances=dict(cursor.fetchall()),
            relays=switchings(connection, supplies=folded),
            conditions=conditions(connection, accounts=accounts),
            balances_at=balances_at,
            relays_at=relays_at,
            conditions_at=conditions_at,
            barred=_barred(connection, folded),
        )
        for events in _batches(connection, after=begin, upto=head):
            picture.follow(events)
    return picture


def carried_on(connection: Connection[Any], picture: Picture, *, upto: int) -> None:
    """Carry a picture on to a position that the ledger has reached."""
    for events in _batches(connection, after=picture.position, upto=upto):
        picture.follow(events)


def _batches(connection: Connection[Any], *, after: int, upto: int) -> Iterator[list[Logged]]:
    while after < upto:
        events = read_log(connection, after=after, upto=upto, limit=_BATCH)
        if not events:
            return
        yield events
        after = events[-1].position


def _supplies(connection: Connection[Any], codes: Sequence[str]) -> dict[str, Supply]:
    folded: dict[str, Supply] = {}
    by_stream = {supply_stream(code): code for code in codes}
    for stream, fact in _facts(connection, list(by_stream)):
        code = by_stream[stream]
        folded[code] = supply_domain.evolve(folded.get(code), fact)
    return folded


def _barred(connection: Connection[Any], codes: Iterable[str]) -> set[str]:
    """Return the supplies whose meter reads back another serial than its own."""
    streams = {meter_stream(code): code for code in codes}
    newest = newest_of(connection, streams=list(streams))
    return {streams[stream] for stream, entry in newest.items() if state_of(entry.fact).read_back}


def _settings(connection: Connection[Any], sites: set[str]) -> dict[str, list[SiteSettingsChanged]]:
    settings: dict[str, list[SiteSettingsChanged]] = {site: [] for site in sites}
    for _, fact in _facts(connection, [site_stream(site) for site in sorted(sites)]):
        if isinstance(fact, SiteSettingsChanged):
            settings[fact.site].append(fact)
    return settings


def _facts(connection: Connection[Any], streams: Sequence[UUID]) -> Iterator[tuple[UUID, Fact]]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "SELECT originator_id, topic, state FROM ledger.events WHERE originator_id = ANY(%s)"
            " ORDER BY originator_id, originator_version",
            (list(streams),),
        )
        for stream, topic, state in cursor:
            yield stream, fact_of(topic, bytes(state))
