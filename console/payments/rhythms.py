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
from ledger.domain.autopay import Autopay, ChargeFailed, Rhythm, ScheduleSet, ThresholdSet, newest_date_due
from ledger.store.application import Ledger
from ledger.store.standing import BalancesBehind
from ledger.usecases.accounts import account_of
from ledger.usecases.autopay import autopay_of, record_failure
from ledger.values.money import micros_from_decimal

# A site's zone may change without a word about its accounts' rhythms.
_ALL_AGAIN = timedelta(hours=1)

_SAID_SINCE = """
SELECT ledger.fact(state) ->> 'account', max(notification_id) FROM ledger.events
WHERE topic LIKE 'autopay.%%' AND notification_id > %s GROUP BY 1
"""
_BALANCES = "SELECT account, balance FROM projections.balances WHERE account = ANY (%s)"
_SCHEDULED = """
SELECT account, max(due_on) FROM payments.charges
WHERE account = ANY (%s) AND rhythm = 'schedule' AND state NOT IN ('capped', 'dropped') GROUP BY account
"""
_BUSY = "SELECT account FROM payments.charges WHERE account = ANY (%s) AND state = ANY (%s)"
# After a threshold's charge was given up, the next local day, or another word of the consumer, begins anew.
_GIVEN_UP = """
SELECT EXISTS (SELECT FROM payments.charges
WHERE account = %s AND rhythm = 'threshold' AND state = 'given-up' AND made_on >= %s AND changed_at >= %s)
"""
_KEPT = "SELECT EXISTS (SELECT FROM payments.charges WHERE charge = %s)"


@dataclass(frozen=True, slots=True)
class Known:
    """An account with its rhythms, and whose days count."""

    autopay: Autopay
    zone: ZoneInfo
    currency: str


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


@dataclass(slots=True)
class Rhythms:
    """Keeps what was said of rhythms, by tailing the log; everything else is looked up."""

    ledger: Ledger
    known: dict[str, Known] = field(default_factory=dict)
    position: int = 0
    read_all_at: datetime | None = None
    # Which caps were told to be reached: looked up once, not at every look.
    told: set[str] = field(default_factory=set)

    def make_due(self, connection: Connection[Any], *, now: datetime) -> int:
        """Make a charge for each account that is due one; return how many."""
        self._refresh(connection, now=now)
        wanted = self._due(connection, now=now)
        if not wanted:
            return 0
        busy = _busy(connection, {one.account for one in wanted})
        spent = charges.spent(connection, {one.account: one.today for one in wanted})
        made: set[str] = set()
        for one in wanted:
            is_free = one.account not in busy and one.account not in made
            if is_free and self._make(connection, one, spent.get(one.account, Spent()), now=now):
                made.add(one.account)
        return len(made)

    def _refresh(self, connection: Connection[Any], *, now: datetime) -> None:
        if self.read_all_at is None or now - self.read_all_at > _ALL_AGAIN:
            self.position, self.read_all_at = 0, now
            self.told.clear()
        with connection.cursor(row_factory=tuple_row) as cursor:
            said = cursor.execute(_SAID_SINCE, (self.position,)).fetchall()
        for code, position in said:
            self.position = max(self.position, position)
            autopay, account = autopay_of(self.ledger, code), account_of(self.ledger, code)
            self.known.pop(code, None)
            if (autopay.schedule or autopay.threshold) and not account.is_closed:
                self.known[code] = Known(autopay, zone_of(self.ledger, code, now=now), account.currency)

    def _due(self, connection: Connection[Any], *, now: datetime) -> list[Due]:
        """Return what is due by what read models know; an account's schedule before its threshold."""
        accounts = list(self.known)
        balances = _by_account(connection, _BALANCES, accounts) if accounts else {}
        scheduled = _by_account(connection, _SCHEDULED, accounts) if accounts else {}
        due: list[Due] = []
        for account, known in self.known.items():
            today = now.astimezone(known.zone).date()
            schedule, threshold = known.autopay.schedule, known.autopay.threshold
            on = None if schedule is None else newest_date_due(schedule, now=now, zone=known.zone)
            if schedule is not None and on is not None and on > scheduled.get(account, date.min):
                due.append(Due(account, schedule, on, today))
            if threshold is not None and _is_below(balances.get(account), threshold):
                due.append(Due(account, threshold, today, today))
        return due

    def _make(self, connection: Connection[Any], due: Due, spent: Spent, *, now: datetime) -> bool:
        known = self.known[due.account]
        why = spent.capped(known.autopay, due.rule.amount_micros)
        code = _capped_code(due, why) if why else f"ap-{uuid4().hex[:24]}"
        if code in self.told or not self._is_still_due(connection, due):
            return False
        bound = known.autopay.methods[due.rule.method]
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
            currency=known.currency,
            state="capped" if why else "waiting",
            detail=why,
        )
        if why:
            self._tell_capped(connection, charge, now=now)
            return False
        return charges.make(connection, charge, now=now)

    def _is_still_due(self, connection: Connection[Any], due: Due) -> bool:
        """Look at the ledger itself: read models may not have seen the top-up that was booked a moment ago."""
        if account_of(self.ledger, due.account).is_closed:
            return False
        if isinstance(due.rule, ScheduleSet):
            return True
        with connection.cursor(row_factory=scalar_row) as cursor:
            if cursor.execute(_GIVEN_UP, (due.account, due.today, due.rule.recorded_at)).fetchone():
                return False
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
