"""Finds which accounts are due an automatic top-up, and makes their charges; within caps, one open at a time."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from psycopg import Connection
from psycopg.rows import scalar_row, tuple_row

from console.payments import charges
from console.payments.charges import OPEN, Charge, Spent
from console.payments.charging import zone_of
from ledger.domain.autopay import (
    NONE_SET,
    Autopay,
    ChargeFailed,
    Rhythm,
    ScheduleSet,
    ThresholdSet,
    evolve,
    newest_date_due,
)
from ledger.domain.event import Fact
from ledger.store.application import Ledger
from ledger.store.mapper import fact_of
from ledger.store.standing import BalancesBehind
from ledger.usecases.accounts import account_of
from ledger.usecases.autopay import record_failure
from ledger.values.money import micros_from_decimal

# A site's zone may change without a word about its accounts' rhythms: looked up again now and then, some at a time.
_PLACED_FOR = timedelta(hours=1)
_PLACED_AT_ONCE = 200
_SAID_AT_ONCE = 1_000

_SAID_SINCE = """
SELECT notification_id, topic, state FROM ledger.events
WHERE topic LIKE 'autopay.%%' AND notification_id > %s ORDER BY notification_id LIMIT %s
"""
_BALANCES = "SELECT account, balance FROM projections.balances WHERE account = ANY (%s)"
_SCHEDULED = """
SELECT account, max(due_on) FROM payments.charges
WHERE account = ANY (%s) AND rhythm = 'schedule' AND state NOT IN ('capped', 'dropped') GROUP BY account
"""
_BUSY = "SELECT account FROM payments.charges WHERE account = ANY (%s) AND state = ANY (%s)"
# After a threshold's charge was given up, the next local day, or another word of the consumer, begins anew.
_GIVEN_UP = """
SELECT DISTINCT ON (account) account, made_on, changed_at FROM payments.charges
WHERE account = ANY (%s) AND rhythm = 'threshold' AND state = 'given-up'
ORDER BY account, made_on DESC, changed_at DESC
"""
_KEPT = "SELECT EXISTS (SELECT FROM payments.charges WHERE charge = %s)"


@dataclass(frozen=True, slots=True)
class Place:
    """Whose days count for an account, and in what it pays, as looked up at an instant."""

    zone: ZoneInfo
    currency: str
    looked_up_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A rhythm that asks for a top-up: for which local date, and which it is."""

    account: str
    rule: ScheduleSet | ThresholdSet
    due_on: date
    today: date

    @property
    def rhythm(self) -> Rhythm:
        """Which of the two it is."""
        return "schedule" if isinstance(self.rule, ScheduleSet) else "threshold"

    def was_given_up(self, newest: tuple[date, datetime] | None) -> bool:
        """Tell whether the newest charge of a threshold that was given up is of this day and of this rule."""
        if newest is None or isinstance(self.rule, ScheduleSet):
            return False
        made_on, given_up_at = newest
        return made_on >= self.today and given_up_at >= self.rule.recorded_at


@dataclass(slots=True)
class Rhythms:
    """Keeps what was said of rhythms, by tailing the log; everything else is looked up."""

    ledger: Ledger
    # Of the accounts that have a rhythm; and where they are, as far as that was looked up.
    known: dict[str, Autopay] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    # What holds for the others.
    resting: dict[str, Autopay] = field(default_factory=dict)
    position: int = 0
    # Which caps were told to be reached: looked up once, not at every look.
    told: set[str] = field(default_factory=set)

    def make_due(self, connection: Connection[Any], *, now: datetime) -> int:
        """Make a charge for each account that is due one; return how many."""
        self._refresh(connection, now=now)
        wanted = self._due(connection, now=now)
        if not wanted:
            return 0
        accounts = {one.account for one in wanted}
        busy, given_up = _busy(connection, accounts), _given_up(connection, accounts)
        wanted = [one for one in wanted if not one.was_given_up(given_up.get(one.account))]
        spent = charges.spent(connection, {one.account: one.today for one in wanted})
        made: set[str] = set()
        for one in wanted:
            is_free = one.account not in busy and one.account not in made
            if is_free and self._make(connection, one, spent.get(one.account, Spent()), now=now):
                made.add(one.account)
        return len(made)

    def _refresh(self, connection: Connection[Any], *, now: datetime) -> None:
        with connection.cursor(row_factory=tuple_row) as cursor:
            while said := cursor.execute(_SAID_SINCE, (self.position, _SAID_AT_ONCE)).fetchall():
                for position, topic, state in said:
                    self._take(fact_of(topic, bytes(state)))
                    self.position = position
        old = [
            account
            for account in self.known
            if (place := self.places.get(account)) is None or now - place.looked_up_at > _PLACED_FOR
        ]
        for account in old[:_PLACED_AT_ONCE]:
            state = account_of(self.ledger, account)
            self.places[account] = Place(zone_of(self.ledger, account, now=now), state.currency, now)
            if state.is_closed:
                self.resting[account] = self.known.pop(account)

    def _take(self, fact: Fact) -> None:
        account: str = getattr(fact, "account")  # noqa: B009 - every fact of these streams has one
        before = self.known.pop(account, None) or self.resting.pop(account, NONE_SET)
        after = evolve(before, fact)
        has_rhythm = after.schedule is not None or after.threshold is not None
        (self.known if has_rhythm else self.resting)[account] = after

    def _due(self, connection: Connection[Any], *, now: datetime) -> list[Due]:
        """Return what is due by what read models know; an account's schedule before its threshold."""
        accounts = [account for account in self.known if account in self.places]
        balances = _by_account(connection, _BALANCES, accounts) if accounts else {}
        scheduled = _by_account(connection, _SCHEDULED, accounts) if accounts else {}
        due: list[Due] = []
        for account in accounts:
            autopay, zone = self.known[account], self.places[account].zone
            today = now.astimezone(zone).date()
            schedule, threshold = autopay.schedule, autopay.threshold
            on = None if schedule is None else newest_date_due(schedule, now=now, zone=zone)
            if schedule is not None and on is not None and on > scheduled.get(account, date.min):
                due.append(Due(account, schedule, on, today))
            if threshold is not None and _is_below(balances.get(account), threshold):
                due.append(Due(account, threshold, today, today))
        return due

    def _make(self, connection: Connection[Any], due: Due, spent: Spent, *, now: datetime) -> bool:
        autopay = self.known[due.account]
        why = spent.capped(autopay, due.rule.amount_micros)
        code = _capped_code(due, why) if why else f"ap-{uuid4().hex[:24]}"
        if code in self.told or not self._is_still_due(due):
            return False
        bound = autopay.methods[due.rule.method]
        charge = Charge(
            charge=code,
            account=due.account,
            method=due.rule.method,
            provider=bound.provider,
            method_hash=bound.reference_hash,
            rhythm=due.rhythm,
            due_on=due.due_on,
            made_on=due.today,
            amount_micros=due.rule.amount_micros,
            currency=self.places[due.account].currency,
            state="capped" if why else "waiting",
            detail=why,
        )
        if why:
            self._tell_capped(connection, charge, now=now)
            return False
        return charges.make(connection, charge, now=now)

    def _is_still_due(self, due: Due) -> bool:
        """Look at the ledger itself: read models may not have seen the top-up that was booked a moment ago."""
        if account_of(self.ledger, due.account).is_closed:
            return False
        if isinstance(due.rule, ScheduleSet):
            return True
        try:
            return self.ledger.standing([due.account]).balance_micros(due.account) < due.rule.below_micros
        except BalancesBehind:
            return False

    def _tell_capped(self, connection: Connection[Any], charge: Charge, *, now: datetime) -> None:
        """Say that a cap is reached, once for its day or month, and charge nothing."""
        self.told.add(charge.charge)
        with connection.cursor(row_factory=scalar_row) as cursor:
            if cursor.execute(_KEPT, (charge.charge,)).fetchone():
                return
        failed = ChargeFailed(
            account=charge.account,
            charge=charge.charge,
            method=charge.method,
            rhythm=charge.rhythm,
            amount_micros=charge.amount_micros,
            attempt=0,
            why=charge.detail,
            recorded_at=now,
        )
        record_failure(self.ledger, failed)
        charges.make(connection, charge, now=now)


def _is_below(balance: Decimal | None, threshold: ThresholdSet) -> bool:
    return balance is not None and micros_from_decimal(balance) < threshold.below_micros


def _capped_code(due: Due, why: str) -> str:
    period = f"{due.today:%Y-%m}" if why == "cap-of-the-month" else f"{due.today}"
    return f"capped/{due.account}/{due.rhythm}/{period}"


def _by_account(connection: Connection[Any], query: str, accounts: Collection[str]) -> Mapping[str, Any]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return dict(cursor.execute(query.encode(), (list(accounts),)).fetchall())


def _busy(connection: Connection[Any], accounts: Collection[str]) -> set[str]:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return set(cursor.execute(_BUSY, (list(accounts), list(OPEN))).fetchall())


def _given_up(connection: Connection[Any], accounts: Collection[str]) -> dict[str, tuple[date, datetime]]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_GIVEN_UP, (list(accounts),)).fetchall()
    return {account: (made_on, changed_at) for account, made_on, changed_at in rows}
