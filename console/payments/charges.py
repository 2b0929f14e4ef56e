"""Charges of bound methods, as rows: there before the provider is asked, one at a time per account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import class_row, tuple_row

from ledger.domain.autopay import Autopay, Rhythm
from ledger.usecases.codes import checked_code
from ledger.values.errors import NotFound

State = Literal["waiting", "asking", "pending", "unknown", "booked", "given-up", "dropped", "capped"]
UNKNOWN_CHARGE = "unknown-charge"
# Of a charge that is not kept yet.
NEVER = datetime.min.replace(tzinfo=UTC)
OPEN: tuple[State, ...] = ("waiting", "asking", "pending", "unknown")

# Providers keep idempotency keys for a day; beyond this, asking again could charge twice.
ASKED_AGAIN_FOR = timedelta(hours=20)
TOLD_WITHIN = timedelta(days=3)

_COLUMNS = """charge, account, method, provider, method_hash, rhythm, due_on, made_on, amount_micros, currency, state,
    attempt, tries, first_asked_at, reference_hash, detail, position, not_before, changed_at"""
_MAKE = """
INSERT INTO payments.charges (charge, account, method, provider, method_hash, rhythm, due_on, made_on, amount_micros,
    currency, state, detail, not_before, made_at, changed_at)
VALUES (%(charge)s, %(account)s, %(method)s, %(provider)s, %(method_hash)s, %(rhythm)s, %(due_on)s, %(made_on)s,
    %(amount_micros)s, %(currency)s, %(state)s, %(detail)s, %(now)s, %(now)s, %(now)s)
ON CONFLICT DO NOTHING
"""
_TO_ASK = f"""
SELECT {_COLUMNS} FROM payments.charges WHERE state = 'waiting' AND not_before <= %s
ORDER BY not_before, charge LIMIT 1
"""  # noqa: S608 - columns of ours
_ASKING = """
UPDATE payments.charges SET state = 'asking', tries = tries + 1, first_asked_at = coalesce(first_asked_at, %(now)s),
    made_on = CASE WHEN tries = 0 THEN %(today)s ELSE made_on END, changed_at = %(now)s
WHERE charge = %(charge)s AND state = 'waiting'
"""
_CHANGE = """
UPDATE payments.charges SET state = %s, detail = %s, not_before = %s, changed_at = %s WHERE charge = %s
"""
_PENDING = """
UPDATE payments.charges SET state = 'pending', reference_hash = %s, detail = '', changed_at = %s WHERE charge = %s
"""
_NEXT_ATTEMPT = """
UPDATE payments.charges SET state = 'waiting', attempt = attempt + 1, tries = 0, first_asked_at = NULL,
    reference_hash = '', detail = %s, not_before = %s, changed_at = %s
WHERE charge = %s
"""
_BOOKED = """
UPDATE payments.charges SET state = 'booked', reference_hash = %(reference_hash)s, position = %(position)s,
    detail = '', changed_at = %(now)s
WHERE provider = %(provider)s AND state <> 'booked'
    AND (charge = %(charge)s OR reference_hash = %(reference_hash)s AND reference_hash <> '')
"""
_RECOVER = "UPDATE payments.charges SET state = 'waiting' WHERE state = 'asking'"
_EXPIRE = """
UPDATE payments.charges SET state = 'unknown', detail = 'the provider never told what became of it', changed_at = %s
WHERE state = 'pending' AND changed_at < %s
"""
_SETTLE = """
UPDATE payments.charges SET state = 'dropped', detail = %s, changed_at = %s WHERE charge = %s AND state = 'unknown'
"""
_SPENT = """
SELECT c.account, coalesce(sum(c.amount_micros) FILTER (WHERE c.made_on = d.day), 0)::bigint,
    sum(c.amount_micros)::bigint
FROM unnest(%s::text[], %s::date[]) AS d (account, day) JOIN payments.charges AS c
    ON c.account = d.account AND c.made_on >= date_trunc('month', d.day)::date AND c.made_on <= d.day
WHERE c.state NOT IN ('given-up', 'dropped', 'capped') AND c.charge <> %s
GROUP BY c.account
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A charge as it is kept; `attempt` numbers what the provider was asked under keys of their own."""

    charge: str
    account: str
    method: str
    provider: str
    method_hash: str
    rhythm: Rhythm
    due_on: date
    made_on: date
    amount_micros: int
    currency: str
    state: State = "waiting"
    attempt: int = 1
    tries: int = 0
    first_asked_at: datetime | None = None
    reference_hash: str = ""
    detail: str = ""
    position: int = 0
    not_before: datetime = NEVER
    changed_at: datetime = NEVER

    @property
    def key(self) -> str:
        """The idempotency key of this attempt."""
        return f"{self.charge}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class Spent:
    """What counts in the caps of a local day and of its month so far: all that did not fail for good."""

    day_micros: int = 0
    month_micros: int = 0

    def capped(self, autopay: Autopay, amount_micros: int) -> str:
        """Return which cap an amount would pass, as a code; nothing where it passes none."""
        if self.month_micros + amount_micros > autopay.month_cap_micros:
            return "cap-of-the-month"
        return "cap-of-the-day" if self.day_micros + amount_micros > autopay.day_cap_micros else ""


def make(connection: Connection[Any], charge: Charge, *, now: datetime) -> bool:
    """Keep a new charge; False where the account has one open, or had this one."""
    words = {name: getattr(charge, name) for name in Charge.__slots__}
    return connection.execute(_MAKE, words | {"now": now}).rowcount == 1


def next_to_ask(connection: Connection[Any], *, now: datetime) -> Charge | None:
    """Return the charge to ask for next."""
    with connection.cursor(row_factory=class_row(Charge)) as cursor:
        return cursor.execute(_TO_ASK, (now,)).fetchone()


def found(connection: Connection[Any], charge: str) -> Charge | None:
    """Return a charge by its code."""
    query = f"SELECT {_COLUMNS} FROM payments.charges WHERE charge = %s"  # noqa: S608 - columns of ours
    with connection.cursor(row_factory=class_row(Charge)) as cursor:
        return cursor.execute(query, (charge,)).fetchone()


def of_payment(connection: Connection[Any], *, provider: str, reference_hash: str) -> Charge | None:
    """Return the charge whose newest attempt a payment is."""
    query = f"""SELECT {_COLUMNS} FROM payments.charges
        WHERE provider = %s AND reference_hash = %s AND reference_hash <> ''"""  # noqa: S608 - columns of ours
    with connection.cursor(row_factory=class_row(Charge)) as cursor:
        return cursor.execute(query, (provider, reference_hash)).fetchone()


def newest(
    connection: Connection[Any], *, account: str = "", states: Sequence[str] = (), limit: int = 100
) -> list[Charge]:
    """Return charges, the newest first: of an account and in some states, or of all."""
    query = f"""SELECT {_COLUMNS} FROM payments.charges
        WHERE (%(account)s = '' OR account = %(account)s)
            AND (%(states)s::text[] = '{{}}' OR state = ANY (%(states)s))
        ORDER BY made_at DESC, charge LIMIT %(limit)s"""  # noqa: S608 - columns of ours
    with connection.cursor(row_factory=class_row(Charge)) as cursor:
        words = {"account": account, "states": list(states), "limit": limit}
        return cursor.execute(query, words).fetchall()


def begin_asking(connection: Connection[Any], charge: Charge, *, today: date, now: datetime) -> None:
    """Say, before the provider is asked, that it is; the caps of the local day on which it is first asked count."""
    connection.execute(_ASKING, {"charge": charge.charge, "today": today, "now": now})


def change(
    connection: Connection[Any],
    charge: str,
    state: State,
    *,
    now: datetime,
    detail: str = "",
    again_at: datetime | None = None,
) -> None:
    """Say how it stands; what waits is looked at again at `again_at`."""
    connection.execute(_CHANGE, (state, detail, again_at or now, now, charge))


def pending(connection: Connection[Any], charge: str, *, reference_hash: str, now: datetime) -> None:
    """Say that the provider knows the payment, by this keyed hash, and tells what becomes of it."""
    connection.execute(_PENDING, (reference_hash, now, charge))


def next_attempt(connection: Connection[Any], charge: str, *, at: datetime, detail: str, now: datetime) -> None:
    """Let it be asked for once more under a new key: the last attempt is known to have failed."""
    connection.execute(_NEXT_ATTEMPT, (detail, at, now, charge))


def booked(
    connection: Connection[Any], *, charge: str, provider: str, reference_hash: str, position: int, now: datetime
) -> None:
    """Say that its money is booked, whatever was believed before; found by its code or by its payment."""
    words = {"charge": charge, "provider": provider, "reference_hash": reference_hash}
    connection.execute(_BOOKED, words | {"position": position, "now": now})


def recover(connection: Connection[Any]) -> None:
    """Ask again, under the same keys, for what was being asked when a process died."""
    connection.execute(_RECOVER)


def expire(connection: Connection[Any], *, now: datetime) -> int:
    """Give what a provider never told of to a person; return how many charges that was."""
    return connection.execute(_EXPIRE, (now, now - TOLD_WITHIN)).rowcount


def settle(connection: Connection[Any], charge: str, *, operator: str, reason: str, now: datetime) -> None:
    """Say that a person found out that a charge took no money; raises NotFound where nobody had to.

    What did take money is booked when the provider tells so, or by hand as a top-up on clearing.
    """
    checked_code(operator, what="operator")
    checked_code(reason, what="reason")
    if connection.execute(_SETTLE, (f"settled by {operator}: {reason}", now, charge)).rowcount == 0:
        raise NotFound(f"no charge {charge!r} is unknown; see `wattledger autopay charges`")


def spent(connection: Connection[Any], days: Mapping[str, date], *, but: str = "") -> dict[str, Spent]:
    """Return what counts in the caps of each account's local day, without one charge; nothing where none does."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_SPENT, (list(days), list(days.values()), but)).fetchall()
    return {account: Spent(day, month) for account, day, month in rows}
