"""A picture of some supplies at one position of the ledger: read from the projections, carried on by the log."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain import cuts as cuts_domain
from ledger.domain import supply as supply_domain
from ledger.domain.credit.facts import EmergencyCreditTaken
from ledger.domain.credit.policy import CreditPolicy, CreditPolicySet, policy_at
from ledger.domain.credit.standing import AccountFigures, credit_standing
from ledger.domain.cuts import CUTS_FACTS, Cuts
from ledger.domain.event import Fact
from ledger.domain.meter import state_of
from ledger.domain.relay import LockSet
from ledger.domain.site import SiteSettingsChanged, in_force
from ledger.domain.supply import Supply
from ledger.domain.switching_rules import SwitchingRules, rules_at
from ledger.domain.timetable import off_time, timetable_at
from ledger.store.applied import meters_seen
from ledger.store.log import Logged, head_of, newest_of, read_log
from ledger.store.mapper import fact_of
from ledger.values.identity import cuts_stream, meter_stream, site_stream, supply_stream
from projections.balances import prepayment_of
from projections.conditions import CLEAR, Condition, accounts_of, changed, conditions
from projections.crossing import Entry, TariffOf, crossing_of, entries_upto, entry_of, tariffs_read
from projections.errors import ProjectionsError
from projections.line import policy_steps
from projections.project import tracked
from projections.relay import RELAY_FACTS, switchings
from projections.situation import LONG_AGO, Crossing, Situation
from projections.switching import Switching, switched

# Beyond this the projections are rather waited for: when in doubt the relay stays as it is.
FURTHEST_BEHIND = 50_000
_BATCH = 2_000


class TooFarBehind(ProjectionsError):
    """The projections are too far behind the ledger for a decision."""


@dataclass(slots=True)
class Picture:
    """Supplies, their relays, the balances of their accounts (micro-units) and their sites' facts at `position`.

    Balances, conditions and relays may have been read further back than the rest: events up to their own position
    are in them. `entries` are what changed the balances since `begin`, newest last; what was before is in `earlier`,
    newest first, for the accounts that were at the line when the picture was taken. `readings` are each supply's
    newest good one, `silent` the concentrators that have not been heard of for long, with when they were.
    """

    position: int
    begin: int
    supplies: dict[str, Supply]
    sites: dict[str, list[Logged]]
    balances: dict[str, int]
    relays: dict[str, Switching]
    conditions: dict[str, Condition]
    cuts: dict[str, Cuts]
    balances_at: int
    relays_at: int
    conditions_at: int
    tariff_of: TariffOf
    heard: dict[str, datetime] = field(default_factory=dict)
    readings: dict[str, datetime] = field(default_factory=dict)
    barred: set[str] = field(default_factory=set)
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    earlier: dict[str, tuple[list[Entry], bool]] = field(default_factory=dict)
    recent_cuts: list[tuple[str, datetime]] = field(default_factory=list)
    site_sizes: dict[str, int] = field(default_factory=dict)
    streams_at: int = field(init=False)

    def __post_init__(self) -> None:
        self.streams_at = self.position

    def follow(self, events: Iterable[Logged]) -> None:
        """Carry the picture on by events in the order of the ledger."""
        for event in events:
            self._enter(event)
            if event.position > self.balances_at:
                self._book(event.fact)
            if event.position > self.conditions_at:
                self._condition(event.fact)
            if event.position > self.relays_at and isinstance(event.fact, RELAY_FACTS):
                self._switch(event.fact.supply, event.fact)
            if event.position > self.streams_at:
                self._change(event)
            self.position = max(self.position, event.position)

    def situations(self, *, now: datetime) -> Iterator[Situation]:
        """Yield what there is to decide on; a supply without meter, occupant or settings is left alone."""
        for code in sorted(self.supplies):
            situation = self.situation(code, now=now)
            if situation is not None:
                yield situation

    def situation(self, code: str, *, now: datetime) -> Situation | None:
        """Return a supply's situation, None where it is left alone."""
        supply = self.supplies[code]
        if supply.tokens is not None:
            # Its meter switches by what it was told, and its account's balance is spent when a token is sold.
            return None
        occupancy = supply.occupancy_at(now)
        facts = [event.fact for event in self.sites.get(supply.site, [])]
        history = [fact for fact in facts if isinstance(fact, SiteSettingsChanged)]
        settings = in_force(history, now)
        # An account that has only just moved in is not in the picture yet: next time.
        if supply.meter is None or settings is None or occupancy is None or occupancy.account not in self.balances:
            return None
        terms = supply.terms_at(now)
        whose = {"account": occupancy.account, "account_class": "" if terms is None else terms.account_class}
        policy = policy_at([fact for fact in facts if isinstance(fact, CreditPolicySet)], history, now, **whose)
        figures = self._figures(occupancy.account)
        standing = credit_standing(policy, figures, now)
        rules = rules_at(facts, now)
        crossing = self._crossing(supply.site, whose, policy, figures, rules, now) if standing.is_out else LONG_AGO
        return Situation(
            supply=code,
            site=supply.site,
            concentrator=supply.concentrator,
            meter=supply.meter.meter,
            # A meter read from files or load profiles has no relay that we could reach.
            has_relay=supply.meter.measures == "register",
            account=occupancy.account,
            standing=standing,
            reconnection=settings.reconnection,
            switching=self.relays[code],
            ledger_position=self.position,
            rules=rules,
            cuts=self.cuts.get(supply.site, Cuts(supply.site)),
            reading_at=self.readings.get(code),
            silent_since=self._silent_since(supply.concentrator, rules, now),
            crossing=crossing,
            is_barred=code in self.barred,
            is_protected=supply.protection is not None,
            lacks_commissioning=settings.requires_commissioning and not supply.is_commissioned,
            off_until=_off_until(facts, code, whose["account_class"], now),
        )

    def cuts_within(self, site: str, window: timedelta, now: datetime) -> int:
        """Return how many of a site's supplies were cut for credit lately."""
        return sum(1 for where, at in self.recent_cuts if where == site and at > now - window)

    def _figures(self, account: str) -> AccountFigures:
        return self.conditions.get(account, CLEAR).figures(self.balances[account])

    def _silent_since(self, concentrator: str, rules: SwitchingRules, now: datetime) -> datetime | None:
        heard = self.heard.get(concentrator)
        if heard is None or not rules.silence_s or now - heard < timedelta(seconds=rules.silence_s):
            return None
        return heard

    def _crossing(
        self,
        site: str,
        whose: Mapping[str, str],
        policy: CreditPolicy,
        figures: AccountFigures,
        rules: SwitchingRules,
        now: datetime,
    ) -> Crossing | None:
        if site not in self.site_sizes:
            # Before it is known how many of the site were cut lately, nobody is.
            return None
        account = whose["account"]
        earlier, is_whole = self.earlier.get(account, ([], False))
        return crossing_of(
            [*reversed(self.entries.get(account, [])), *earlier],
            policy_steps(self.sites[site], now, account=account, account_class=whose["account_class"]),
            policy=policy,
            figures=figures,
            rules=rules,
            tariff_of=self.tariff_of,
            is_whole=is_whole,
        )

    def read(self, supply: str, fact: Fact) -> None:
        """Take note of the newest good reading, and of whether the meter reads back its own serial."""
        state = state_of(fact)
        if state.billed_to is not None:
            self.readings[supply] = max(state.billed_to, self.readings.get(supply, state.billed_to))
        if state.read_back:
            self.barred.add(supply)
        else:
            self.barred.discard(supply)

    def _enter(self, event: Logged) -> None:
        fact = event.fact
        touched = {fact.account} if isinstance(fact, EmergencyCreditTaken) else prepayment_of(fact).keys()
        for account in touched & self.balances.keys():
            entry = entry_of(event.position, account, fact)
            if entry is not None:
                self.entries.setdefault(account, []).append(entry)

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
        if isinstance(fact, LockSet) and fact.cause == "credit":
            self.recent_cuts.append((fact.site, fact.recorded_at))

    def _change(self, event: Logged) -> None:
        fact = event.fact
        code: str = getattr(fact, "supply", "")
        site: str = getattr(fact, "site", "")
        if fact.topic.startswith("supply.") and code in self.supplies:
            self.supplies[code] = supply_domain.evolve(self.supplies[code], fact)
        elif fact.topic.startswith("meter.") and code in self.supplies:
            self.read(code, fact)
        elif fact.topic.startswith("site.") and site in self.sites:
            self.sites[site].append(event)
        elif isinstance(fact, CUTS_FACTS) and site in self.sites:
            self.cuts[site] = cuts_domain.evolve(self.cuts.get(site, Cuts(site)), fact)


def _off_until(facts: Iterable[Fact], supply: str, account_class: str, now: datetime) -> datetime | None:
    found = off_time(timetable_at(facts, now, supply=supply, account_class=account_class), now)
    return None if found is None else found.ends


def taken(connection: Connection[Any], *, supplies: Sequence[str], now: datetime) -> Picture:
    """Take a picture of these supplies at the ledger's head; raises TooFarBehind."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        # One snapshot: rows, their positions and the head belong together.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        head, _ = head_of(connection)
        positions = tracked(connection)
        at = {name: positions.get(name, 0) for name in ("balances", "relay", "conditions", "books")}
        begin = min(at.values())
        behind = head - begin
        if behind > FURTHEST_BEHIND:
            raise TooFarBehind(f"the projections are {behind} events behind; is `wattledger project` running?")
        folded = _supplies(connection, supplies)
        accounts = {row.account for supply in folded.values() if (row := supply.occupancy_at(now))}
        cursor.execute(
            "SELECT account, (balance * 1000000)::bigint FROM projections.balances WHERE account = ANY(%s)",
            (sorted(accounts),),
        )
        sites = {supply.site for supply in folded.values()}
        picture = Picture(
            position=head,
            begin=begin,
            supplies=folded,
            sites=_of_sites(connection, sites),
            balances=dict(cursor.fetchall()),
            relays=switchings(connection, supplies=folded),
            conditions=conditions(connection, accounts=accounts),
            cuts=_cuts(connection, sites),
            balances_at=at["balances"],
            relays_at=at["relay"],
            conditions_at=at["conditions"],
            tariff_of=tariffs_read(connection),
            heard=_heard(connection, {supply.concentrator for supply in folded.values()}),
        )
        _read_meters(connection, picture)
        for events in _batches(connection, after=begin, upto=head):
            picture.follow(events)
        _look_back(connection, picture, now=now)
    return picture


def _look_back(connection: Connection[Any], picture: Picture, *, now: datetime) -> None:
    """Read what brought accounts to the line, and what else is needed where somebody may be cut."""
    for is_few in (True, False):
        unknown = [
            situation
            for situation in picture.situations(now=now)
            if situation.crossing is None and "credit" not in situation.switching.relay.locks
        ]
        if not unknown:
            return
        if is_few:
            _count_cuts(connection, picture, {situation.site for situation in unknown}, now=now)
        accounts = sorted({situation.account for situation in unknown})
        picture.earlier |= entries_upto(connection, accounts, position=picture.begin, is_few=is_few)


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


def _read_meters(connection: Connection[Any], picture: Picture) -> None:
    """Take in the newest event of each meter, and when it was last read standing still."""
    streams = {meter_stream(code): code for code in picture.supplies}
    for stream, entry in newest_of(connection, streams=list(streams)).items():
        picture.read(streams[stream], entry.fact)
    for code, seen_at in meters_seen(connection, picture.supplies).items():
        picture.readings[code] = max(seen_at, picture.readings.get(code, seen_at))


def _heard(connection: Connection[Any], concentrators: set[str]) -> dict[str, datetime]:
    """Return when something came last from each concentrator that was ever heard of."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "SELECT concentrator, max(applied_at) FROM ledger.sweeps"
            " WHERE concentrator = ANY(%s) AND applied_at IS NOT NULL GROUP BY concentrator",
            (sorted(concentrators),),
        )
        return dict(cursor.fetchall())


def _count_cuts(connection: Connection[Any], picture: Picture, sites: set[str], *, now: datetime) -> None:
    """Take in how many metered supplies the sites have, and who was cut within the longest window."""
    told = {site: [event.fact for event in picture.sites[site]] for site in sites}
    since = now - max(rules_at(told[site], now).window for site in sites)
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "SELECT s.site, count(*), array_agg((r.memory ->> 'cut_at')::timestamptz)"
            " FILTER (WHERE (r.memory ->> 'cut_at')::timestamptz > %s)"
            " FROM projections.supplies AS s LEFT JOIN projections.relay AS r ON r.supply = s.supply"
            " WHERE s.site = ANY(%s) AND s.meter <> '' GROUP BY s.site",
            (since, sorted(sites)),
        )
        for site, supplies, cut_at in cursor:
            picture.site_sizes[site] = supplies
            picture.recent_cuts += [(site, at) for at in cut_at or ()]


def _cuts(connection: Connection[Any], sites: set[str]) -> dict[str, Cuts]:
    cuts = {site: Cuts(site) for site in sites}
    streams = {cuts_stream(site): site for site in sites}
    for stream, fact in _facts(connection, list(streams)):
        cuts[streams[stream]] = cuts_domain.evolve(cuts[streams[stream]], fact)
    return cuts


def _of_sites(connection: Connection[Any], sites: set[str]) -> dict[str, list[Logged]]:
    found: dict[str, list[Logged]] = {site: [] for site in sites}
    streams = {site_stream(site): site for site in sites}
    for event in _events(connection, list(streams)):
        found[streams[event.stream]].append(event)
    return found


def _facts(connection: Connection[Any], streams: Sequence[UUID]) -> Iterator[tuple[UUID, Fact]]:
    yield from ((event.stream, event.fact) for event in _events(connection, streams))


def _events(connection: Connection[Any], streams: Sequence[UUID]) -> Iterator[Logged]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events"
            " WHERE originator_id = ANY(%s) ORDER BY originator_id, originator_version",
            (list(streams),),
        )
        for position, stream, version, topic, state in cursor:
            yield Logged(position, stream, version, fact_of(topic, bytes(state)))
