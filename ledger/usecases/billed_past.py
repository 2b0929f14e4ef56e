"""The past that is billed already: neither a new version of a tariff nor new terms may start in it.

What was billed would stand at prices that are no longer those of its time, and nobody would have decided that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from ledger.domain.meter import UsageDebited
from ledger.domain.supply import Supply
from ledger.domain.tariff import compiled
from ledger.rating.days import local_days
from ledger.rating.tariff import Tariff
from ledger.store.application import Ledger
from ledger.store.billed_to import billed_to, charged_to, read_snapshot, written_since
from ledger.store.log import head_of
from ledger.usecases.conditions import published_tariff
from ledger.values.errors import Refused
from ledger.values.identity import meter_stream


@dataclass(frozen=True, slots=True)
class BilledPast:
    """The supply points that a version from an instant on would price, as they were at a position of the ledger.

    `begins` is when each of them would be priced by it first.
    """

    tariff: str
    effective_from: datetime
    position: int
    begins: dict[str, datetime]
    zone: ZoneInfo

    def check(self, connection: Connection[Any], supplies: Iterable[str]) -> None:
        """Raise Refused where one of these supply points is billed beyond the instant at which it would begin."""
        billed = billed_to(connection, supplies=supplies)
        late = {code: until for code, until in billed.items() if until > self.begins[code]}
        if late:
            code = max(late, key=lambda one: (late[one], one))
            others = f" and {len(late) - 1} more are billed beyond it" if len(late) > 1 else ""
            raise Refused(
                f"tariff {self.tariff!r} cannot start at {self.effective_from.isoformat()}: supply point {code!r} is"
                f" billed to {late[code].isoformat()} already{others}; let it start then or later"
            )
        charged = charged_to(connection, supplies=supplies)
        # A local date is charged by what was in force as it began; see ledger.domain.time_due.
        days = local_days(self.zone)
        dated = {code: day for code, day in charged.items() if self.begins[code] <= days.midnight(day)}
        if dated:
            code = max(dated, key=lambda one: (dated[one], one))
            free = days.midnight(dated[code] + timedelta(days=1))
            raise Refused(
                f"tariff {self.tariff!r} cannot start at {self.effective_from.isoformat()}: the standing charges of"
                f" supply point {code!r} are posted to {dated[code].isoformat()} already; let it start at"
                f" {free.isoformat()} or later"
            )

    def check_written_since(self, cursor: Cursor[TupleRow]) -> None:
        """Check, inside the gate, the supply points that were billed while the version was being decided on."""
        written = written_since(cursor, position=self.position)
        self.check(cursor.connection, [code for code in self.begins if meter_stream(code) in written])


def billed_past(ledger: Ledger, *, tariff: str, effective_from: datetime) -> BilledPast:
    """Return what a version of a tariff must not start in; raises Refused where it does already."""
    with ledger.datastore.get_connection() as connection:
        snapshot = read_snapshot(connection)
        begins = {
            code: begin
            for code, supply in snapshot.supplies.items()
            if (begin := _begin(supply, tariff, effective_from)) is not None
        }
        zone = snapshot.zone_of_tariff(tariff)
        if zone is None:
            raise AssertionError(f"tariff {tariff!r} has a version in use, but was never published")
        past = BilledPast(tariff, effective_from, snapshot.position, begins, zone)
        past.check(connection, begins)
    return past


def has_billed_anything(ledger: Ledger) -> bool:
    """Tell whether the ledger has billed anybody yet: until then it is being set up, and prices hurt nobody."""
    with ledger.datastore.get_connection() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM ledger.events WHERE topic = %s) AS found", (UsageDebited.topic,))
        row = cursor.fetchone()
    return bool(row and row["found"])


def check_classes_kept(ledger: Ledger, *, tariff: Tariff, effective_from: datetime) -> None:
    """Raise Refused where a version would have no prices for an account class that it would price."""
    known = {row.name for row in tariff.classes}
    with ledger.datastore.get_connection() as connection:
        snapshot = read_snapshot(connection)
    lost: dict[str, list[str]] = {}
    for code, supply in snapshot.supplies.items():
        for number, terms in enumerate(supply.terms):
            begin, later = max(terms.effective_from, effective_from), supply.terms[number + 1 :]
            is_priced = terms.tariff == tariff.code and (not later or begin < later[0].effective_from)
            if is_priced and terms.account_class and terms.account_class not in known:
                lost.setdefault(terms.account_class, []).append(code)
    if lost:
        name, codes = min(lost.items())
        others = f" and {len(codes) - 1} more" if len(codes) > 1 else ""
        raise Refused(
            f"tariff {tariff.code!r} has no class {name!r} in this version, but supply point {codes[0]!r}{others} is"
            f" priced as that class; keep the class, or assign other terms first"
        )


def billed_past_of(ledger: Ledger, *, supply: str, tariff: str, begin: datetime) -> BilledPast:
    """Return what terms of one supply point must not start in; raises Refused where they do already."""
    newest = published_tariff(ledger, tariff).versions[-1]
    zone = compiled(newest.text, newest.version).days.zone
    with ledger.datastore.get_connection() as connection:
        position, _ = head_of(connection)
        past = BilledPast(tariff, begin, position, {supply: begin}, zone)
        past.check(connection, [supply])
    return past


def _begin(supply: Supply, tariff: str, effective_from: datetime) -> datetime | None:
    """Return when a supply point would first be priced by a version of a tariff; None where it never would."""
    for number, terms in enumerate(supply.terms):
        begin = max(terms.effective_from, effective_from)
        later = supply.terms[number + 1 :]
        if terms.tariff == tariff and (not later or begin < later[0].effective_from):
            return begin
    return None
