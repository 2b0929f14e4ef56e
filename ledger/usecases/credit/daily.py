"""What credit does once a local day: instalments on debt, and charges that accrue while a supply is off.

Each is done once however often it is asked for, so whoever runs it may run it every hour.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ledger.domain import account as account_stream_of
from ledger.domain import chart
from ledger.domain import relay as relay_stream_of
from ledger.domain.account import Account
from ledger.domain.booking import booked
from ledger.domain.credit.applying import cap_left_micros
from ledger.domain.credit.facts import ChargeAccrued, InstalmentCollected
from ledger.domain.credit.friendly import local_week
from ledger.domain.credit.standing import credit_standing
from ledger.domain.event import Event, Fact, Posting
from ledger.domain.meter import TimeChargeDebited
from ledger.domain.relay import LockCleared, LockSet, Relay
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.store.standing import Standing
from ledger.usecases.attempt import Booked, appended_on_standing
from ledger.usecases.credit.policies import supplies_of, terms_of
from ledger.usecases.credit.standing import figures_of
from ledger.usecases.money.tax_point import advance_taxes
from ledger.values.errors import NotFound
from ledger.values.identity import account_stream, meter_stream, relay_stream


class Off(NamedTuple):
    """A span in which a supply was locked off for credit; without an end it is still."""

    since: datetime
    until: datetime | None


def collect_instalment(ledger: Ledger, *, account: str, now: datetime, local_date: date | None = None) -> Booked:
    """Collect a local day's instalment, once; the position is 0 where none is due. Today's, if no date is given.

    None is while emergency credit is in use or a supply of theirs is off, beyond the cap of the week that it is now,
    or where it would take the account to the line at which it is cut. One of a day that has gone by is by that day's
    policy, of what was owed by then.
    """
    state, _ = _account(ledger, account)
    day, at = _day_and_end(ledger, state, local_date, now)
    policy = terms_of(ledger, state, now=at).policy
    if not policy.debt.per_day_micros:
        return Booked(0, is_repeat=False)

    def decide(standing: Standing) -> Sequence[Event]:
        state, version = _account(ledger, account)
        figures, week = figures_of(state, standing), local_week(policy.zone, now)
        stands = credit_standing(policy, figures, now)
        spare = figures.usable_micros - policy.cut_at_micros - 1
        amount = min(policy.debt.per_day_micros, cap_left_micros(policy, figures, week), spare)
        if at < now:
            amount = min(amount, _debt_at(ledger, account, at))
        if state.is_closed or amount <= 0 or stands.is_out or _is_off(ledger, account, now, at):
            return []
        fact = InstalmentCollected(
            account=account,
            local_date=day,
            week=week,
            amount_micros=amount,
            taxes=advance_taxes(
                ledger,
                account=account,
                balance_micros=figures.balance_micros - amount,
                standing_micros=standing.advance_taxes_micros(account),
                now=now,
            ),
            recorded_at=now,
        )
        return [Event(account_stream(account), version + 1, booked(fact))]

    key = Command(f"instalment/{account}/{day.isoformat()}", {"account": account, "date": day.isoformat()})
    return appended_on_standing(ledger, decide, accounts=(account,), command=key)


def accrue_charges(ledger: Ledger, *, account: str, now: datetime) -> int:
    """Move what time charged an account's supplies while they were off to what accrued; return how many charges."""
    state, _ = _account(ledger, account)
    if terms_of(ledger, state, now=now).policy.charges_while_off != "accrued":
        return 0
    count = 0
    for supply in supplies_of(ledger, account, now=now):
        spans = off_spans(ledger, supply.code)
        if not spans:
            continue
        for version, charge in _charges(ledger, supply.code, after=state.accrued_to.get(supply.code, 0)):
            if charge.account == account and charge.amount_micros > 0 and _holds(spans, charge.recorded_at):
                count += not _accrue(ledger, charge, version, now=now).is_repeat
    return count


def off_spans(ledger: Ledger, supply: str) -> list[Off]:
    """Return when a supply was locked off for credit."""

    def evolve(spans: list[Off], fact: Fact) -> list[Off]:
        if isinstance(fact, LockSet) and fact.cause == "credit":
            return [*spans, Off(fact.recorded_at, None)]
        if isinstance(fact, LockCleared) and fact.cause == "credit" and spans:
            return [*spans[:-1], Off(spans[-1].since, fact.recorded_at)]
        return spans

    nothing: list[Off] = []
    return ledger.folded(relay_stream(supply), evolve, nothing)[0]


def _accrue(ledger: Ledger, charge: TimeChargeDebited, debit_version: int, *, now: datetime) -> Booked:
    account = charge.account
    position = ledger.position_of(meter_stream(charge.supply), debit_version)

    def decide(standing: Standing) -> Sequence[Event]:
        fact = ChargeAccrued(
            account=account,
            supply=charge.supply,
            debit_position=position,
            debit_version=debit_version,
            amount_micros=charge.amount_micros,
            taxes=advance_taxes(
                ledger,
                account=account,
                balance_micros=standing.balance_micros(account) + charge.amount_micros,
                standing_micros=standing.advance_taxes_micros(account),
                now=now,
            ),
            recorded_at=now,
        )
        return [Event(account_stream(account), _account(ledger, account)[1] + 1, booked(fact))]

    key = Command(f"accrue/{charge.supply}/{debit_version}", {"position": str(position)})
    return appended_on_standing(ledger, decide, accounts=(account,), command=key)


def _charges(ledger: Ledger, supply: str, *, after: int) -> list[tuple[int, TimeChargeDebited]]:
    return [
        (event.originator_version, event.fact)
        for event in ledger.events.get(meter_stream(supply), gt=after)
        if isinstance(event, Event) and isinstance(event.fact, TimeChargeDebited)
    ]


def _holds(spans: Sequence[Off], instant: datetime) -> bool:
    return any(span.since <= instant and (span.until is None or instant < span.until) for span in spans)


def _is_off(ledger: Ledger, account: str, now: datetime, at: datetime) -> bool:
    """Tell whether a supply of an account is off, or was for credit at an instant before."""
    supplies = [supply.code for supply in supplies_of(ledger, account, now=now)]
    return any(
        ledger.folded(relay_stream(code), relay_stream_of.evolve, Relay(code))[0].desired == "open"
        for code in supplies
    ) or (at < now and any(_holds(off_spans(ledger, code), at) for code in supplies))


def _day_and_end(ledger: Ledger, account: Account, local_date: date | None, now: datetime) -> tuple[date, datetime]:
    """Return a local date and when it ends, or now where it has not; today's where none is given."""
    zone = ZoneInfo(terms_of(ledger, account, now=now).policy.zone)
    day = now.astimezone(zone).date() if local_date is None else local_date
    next_day = datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)
    return day, min(next_day - timedelta(microseconds=1), now)


def _debt_at(ledger: Ledger, account: str, at: datetime) -> int:
    """Return what an account owed beside its balance at an instant, in micro-units."""

    def evolve(debt: int, fact: Fact) -> int:
        if fact.recorded_at > at:
            return debt
        postings: Sequence[Posting] = getattr(fact, "postings", ())
        return debt + sum(row.amount_micros for row in postings if (row.code, row.account) == (chart.DEBT, account))

    return ledger.folded(account_stream(account), evolve, 0)[0]


def _account(ledger: Ledger, account: str) -> tuple[Account, int]:
    state: Account | None
    state, version = ledger.folded(account_stream(account), account_stream_of.evolve, None)
    if state is None:
        raise NotFound(f"there is no account {account!r}; open it first, or check the code")
    return state, version
