"""A top-up's receipt: what was paid, what it went to, the energy it buys and how long that lasts. As it stood then.

Everything but `undone_by` depends on the events up to the top-up alone, so a receipt printed again is the same.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from ledger.domain import supply as supply_stream_of
from ledger.domain import tariff as tariff_stream_of
from ledger.domain.account import AccountCredited
from ledger.domain.account_facts import UNDOING, AdvanceTax
from ledger.domain.agent import receipt_text
from ledger.domain.credit.applying import BALANCE_PARTS, Applied
from ledger.domain.meter import state_of
from ledger.domain.supply import Supply
from ledger.domain.tariff import TariffHistory, compiled
from ledger.integrity.proof import Proof
from ledger.rating.lines import FRESH, Counters
from ledger.rating.quote import quote
from ledger.store.mapper import fact_of
from ledger.values.errors import NotFound, Refused
from ledger.values.identity import meter_stream, supply_stream, tariff_stream
from ledger.values.money import micros_from_decimal
from projections.statements.reading import proof_of

_LOOKED_BACK = timedelta(days=30)
_LEAST_LOOKED_BACK = timedelta(days=1)
_UPTO = """
SELECT topic, state FROM ledger.events
WHERE originator_id = %s AND notification_id <= %s ORDER BY originator_version
"""
_NEWEST = """
SELECT topic, state FROM ledger.events
WHERE originator_id = %s AND notification_id <= %s ORDER BY originator_version DESC LIMIT 1
"""
_SUPPLIES = "SELECT DISTINCT supply FROM projections.occupancies WHERE account = %s ORDER BY supply"
_BALANCE = "SELECT coalesce(sum(amount), 0) FROM projections.account_entries WHERE account = %s AND position <= %s"
_USED = """
SELECT coalesce(-sum(a.amount), 0), min(a.effective_at)
FROM projections.account_entries AS a JOIN ledger.events AS e ON e.notification_id = a.position
WHERE a.account = %s AND a.position <= %s AND a.effective_at > %s AND e.topic LIKE 'meter.%%'
"""
_ABOUT = "SELECT relation FROM projections.event_links WHERE original = %s ORDER BY position"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """What the top-up buys at a supply point, at its tariff and counters of that moment; `change` buys nothing."""

    supply: str
    tariff: str
    version: int
    energy_milliwh: int
    change_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A top-up; amounts in micro-units. `days_left` at the pace of the last 30 days, None where there is none.

    `number` is the agent's receipt number, empty where no agent sold it.
    """

    position: int
    account: str
    site: str
    currency: str
    at: datetime
    channel: str
    amount_micros: int
    balance_micros: int
    applied: list[Applied] = field(default_factory=list)
    taxes: list[AdvanceTax] = field(default_factory=list)
    bought: list[Bought] = field(default_factory=list)
    days_left: int | None = None
    undone_by: list[str] = field(default_factory=list)
    number: str = ""
    proof: Proof | None = None

    @property
    def to_balance_micros(self) -> int:
        """What of it went to the balance: all of it, where no order of application is told."""
        if not self.applied:
            return self.amount_micros
        return sum(row.amount_micros for row in self.applied if row.part in BALANCE_PARTS)


def read_receipt(connection: Connection[Any], *, position: int) -> Receipt:
    """Return the receipt of the top-up at a position; raises NotFound where there is none, or it is not projected.

    The connection must be in autocommit mode.
    """
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        fact = _top_up(cursor, position)
        site, currency = _account(cursor, fact.account)
        balance_micros = micros_from_decimal(_row(cursor, _BALANCE, (fact.account, position))[0])
        receipt = Receipt(
            position=position,
            account=fact.account,
            site=site,
            currency=currency,
            at=fact.recorded_at,
            channel=fact.channel,
            amount_micros=fact.amount_micros,
            balance_micros=balance_micros,
            applied=fact.applied,
            taxes=fact.taxes,
            days_left=_days_left(cursor, fact, position, balance_micros),
            undone_by=_undone_by(cursor, position),
            number=receipt_text(fact.agent, fact.receipt_number) if fact.agent else "",
        )
        bought = _bought(cursor, receipt)
    proof = proof_of(connection, position)
    return replace(receipt, bought=bought, proof=proof)


def _top_up(cursor: Cursor[Any], position: int) -> AccountCredited:
    found = cursor.execute(
        "SELECT topic, state FROM ledger.events WHERE notification_id = %s", (position,)
    ).fetchone()
    fact = None if found is None else fact_of(found[0], bytes(found[1]))
    if not isinstance(fact, AccountCredited):
        what = "nothing" if found is None else found[0]
        raise NotFound(f"there is no top-up at position {position} but {what}; `wattledger top-up` tells positions")
    return fact


def _account(cursor: Cursor[Any], account: str) -> tuple[str, str]:
    row = cursor.execute("SELECT site, currency FROM projections.balances WHERE account = %s", (account,)).fetchone()
    if row is None:
        raise NotFound(f"account {account!r} is not projected yet; ask again in a moment")
    return row[0], row[1]


def _row(cursor: Cursor[Any], query: Any, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = cursor.execute(query, parameters).fetchone()
    if row is None:
        raise AssertionError("an aggregate always has a row")
    return row


def _undone_by(cursor: Cursor[Any], position: int) -> list[str]:
    undoing = {kind.topic for kind in UNDOING}
    return [relation for (relation,) in cursor.execute(_ABOUT, (position,)).fetchall() if relation in undoing]


def _days_left(cursor: Cursor[Any], fact: AccountCredited, position: int, balance_micros: int) -> int | None:
    """Return how many whole days the balance lasts at the pace of the last days; None where none is known."""
    since = fact.recorded_at - _LOOKED_BACK
    used, first = _row(cursor, _USED, (fact.account, position, since))
    used_micros = micros_from_decimal(used)
    if first is None or used_micros <= 0:
        return None
    known = fact.recorded_at - first
    if known < _LEAST_LOOKED_BACK:
        return None
    pace_days_micros = max(balance_micros, 0) * int(known.total_seconds())
    return pace_days_micros // (used_micros * 86_400)


def _bought(cursor: Cursor[Any], receipt: Receipt) -> list[Bought]:
    """Quote what reached the balance at each supply point that the account occupied then."""
    supplies = [row[0] for row in cursor.execute(_SUPPLIES, (receipt.account,)).fetchall()]
    found = (_bought_at(cursor, receipt, supply) for supply in supplies)
    return [row for row in found if row is not None]


def _bought_at(cursor: Cursor[Any], receipt: Receipt, code: str) -> Bought | None:
    supply: Supply | None = None
    for topic, state in cursor.execute(_UPTO, (supply_stream(code), receipt.position)).fetchall():
        supply = supply_stream_of.evolve(supply, fact_of(topic, bytes(state)))
    occupancy = None if supply is None else supply.occupancy_at(receipt.at)
    terms = None if supply is None else supply.terms_at(receipt.at)
    if occupancy is None or terms is None or occupancy.account != receipt.account:
        return None
    version = _version_at(cursor, terms.tariff, receipt)
    if version is None:
        return None
    tariff = compiled(version.text, version.version, terms.account_class)
    counters = _counters(cursor, code, receipt)
    try:
        quoted = quote(tariff, counters, amount_micros=receipt.to_balance_micros, at=receipt.at)
    except Refused:
        # Energy that costs nothing has no end: there is nothing to tell.
        return None
    return Bought(
        supply=code,
        tariff=terms.tariff,
        version=version.version,
        energy_milliwh=quoted.energy_milliwh,
        change_micros=quoted.change_micros,
    )


def _version_at(cursor: Cursor[Any], tariff: str, receipt: Receipt) -> tariff_stream_of.TariffPublished | None:
    history: TariffHistory | None = None
    for topic, state in cursor.execute(_UPTO, (tariff_stream(tariff), receipt.position)).fetchall():
        history = tariff_stream_of.evolve(history, fact_of(topic, bytes(state)))
    return None if history is None else history.version_at(receipt.at)


def _counters(cursor: Cursor[Any], supply: str, receipt: Receipt) -> Counters:
    """Return the counters that the occupant's next usage is priced from; fresh ones for who has none yet."""
    row = cursor.execute(_NEWEST, (meter_stream(supply), receipt.position)).fetchone()
    if row is None:
        return FRESH
    state = state_of(fact_of(row[0], bytes(row[1])))
    return state.counters if state.account == receipt.account else FRESH
