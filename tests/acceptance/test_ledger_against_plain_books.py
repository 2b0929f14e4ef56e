"""Whatever happens to three flats, in whatever order and however late: the ledger is what plain books say.

A register that is read when it is read; intervals that come late, out of order, twice, contradicting each other and
corrected; meters exchanged, people moving, readings held and decided on, days charged; top-ups, sent twice,
reversed, transferred, refunded; adjustments; months closed; commands that are refused. Everything goes through the
real use cases and the real batch protocol, into a real PostgreSQL.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any, LiteralString

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from console.embedded.postgres import EmbeddedPostgres
from ledger import wire
from ledger.domain import intervals
from ledger.store.application import Ledger
from ledger.store.log import head_of
from ledger.usecases.accounts import open_account, top_up
from ledger.usecases.closing import ReadingsMissing, close_month, record_balances
from ledger.usecases.money.attempt import By, MoneyCommand
from ledger.usecases.money.carrying_out import carry_out
from ledger.usecases.money.limits import NeedsApproval
from ledger.usecases.money.paying_out import Refund
from ledger.usecases.money.putting_right import Adjust
from ledger.usecases.money.undoing import ReverseTopUp, TransferTopUp
from ledger.usecases.supplies import MeterFacts, assign_tariff, install_meter, occupy, register_supply
from ledger.usecases.tariffs import publish_tariff
from ledger.values.errors import Conflict, InvalidValue, LedgerError, NotFound, Refused
from projections import queries
from projections.catalogue import MODELS
from projections.closed import sums_to
from projections.project import project_next, register
from projections.rebuild import rebuild
from projections.replay import asked, replay
from streams.pricing import PricingDrafter
from tests.acceptance.flat_that_changes import HOUR, MAX_POWER_W, PEOPLE, SINCE, FlatThatChanges
from tests.acceptance.plain_books import PlainBooks, end_of, first_of, following, month_of
from tests.ledger.builders import tariff_text
from tests.services.postgres import Database, _fresh_database
from tests.streams.books import check_ledger
from tests.streams.direct import message_of, partition_of, pricing_applier

REGISTER, INTERVALS = "flat-1", "flat-2"
ACCOUNTS = {REGISTER: "tenant-1", INTERVALS: "tenant-2"}
# A file's gaps are filled within a month.
LATEST_HOURS = 30 * 24

energies = st.integers(0, MAX_POWER_W * 1_000)
accounts = st.sampled_from(sorted([*ACCOUNTS.values(), *PEOPLE]))
amounts = st.integers(1, 200_000_000)
parts = st.integers(0, 1_000)

EXAMPLES = int(
    os.environ.get("WATTLEDGER_LIVES") or (1_000 if os.environ.get("WATTLEDGER_HYPOTHESIS") == "long" else 12)
)


class Life(FlatThatChanges):
    """Three flats, their tenants, and the plain books beside the ledger."""

    fresh: Callable[[], Any]

    def __init__(self) -> None:
        super().__init__()
        self.things = ExitStack()
        self.database: Database = self.things.enter_context(self.fresh())
        self.ledger = self.things.enter_context(Ledger(url=self.database.url("wattledger_writer")))
        self.reader = self.things.enter_context(psycopg.connect(self.database.url(), autocommit=True))
        self.now = SINCE
        self.books = PlainBooks()
        self.applier = pricing_applier(self.database.url("wattledger_writer"), PricingDrafter(clock=lambda: self.now))
        self.things.callback(self.applier.close)
        self.sequence = self.messages = 0
        self.keys = count(1)
        self.register_milliwh = 0
        self.read_at = SINCE
        self.told: dict[datetime, tuple[int, str]] = {}
        self.top_ups: dict[int, tuple[str, int, str]] = {}
        self.reversed: dict[int, int] = {}

    def teardown(self) -> None:
        try:
            self.check()
        finally:
            self.things.close()

    @initialize()
    def move_in(self) -> None:
        publish_tariff(self.ledger, text=tariff_text(zone="UTC"), effective_from=SINCE, note="", now=SINCE)
        self.furnish()
        for supply, account in ACCOUNTS.items():
            register_supply(self.ledger, supply=supply, site="north", concentrator="c1", now=SINCE)
            meter = MeterFacts(
                serial=f"{supply}-m",
                profile="nem12",
                max_power_w=MAX_POWER_W,
                measures="interval" if supply == INTERVALS else "register",
            )
            install_meter(self.ledger, supply=supply, meter=meter, installed_at=SINCE, opening_milliwh=0, now=SINCE)
            open_account(self.ledger, account=account, site="north", currency="CNY", now=SINCE)
            occupy(self.ledger, supply=supply, account=account, occupied_from=SINCE, opening_milliwh=0, now=SINCE)
            assign_tariff(self.ledger, supply=supply, tariff="flat", effective_from=SINCE, now=SINCE)

    @rule(hours=st.integers(1, 300))
    def time_passes(self, hours: int) -> None:
        self.now += hours * HOUR

    @precondition(lambda self: self.now > self.read_at)
    @rule(share=parts)
    def the_register_is_read(self, share: int) -> None:
        """At every month's end on the way, too, as a meter's own memory tells it; all of it arrives now."""
        while self.read_at < self.now:
            until = min(self.now, end_of(month_of(self.read_at)))
            month = month_of(self.read_at)
            hours = (until - self.read_at) // HOUR
            used = hours * MAX_POWER_W * 1_000 * share // 1_000
            self.register_milliwh += used
            self._sweep(self._register(self.register_milliwh, until))
            if used:
                account = ACCOUNTS[REGISTER]
                self.books.use(account, change_milliwh=used, month=month, ended=until, now=self.now)
            self.read_at = until

    @rule(hours=st.integers(0, 100), energy=energies)
    def a_register_reading_comes_too_late(self, hours: int, energy: int) -> None:
        at = self.read_at - hours * HOUR
        if at > SINCE:
            self._changes_no_money(lambda: self._sweep(self._register(energy, at)))

    @rule(fall=st.integers(1, 10**6))
    def a_register_falls_or_leaps(self, fall: int) -> None:
        at = self.now + timedelta(minutes=1)
        leap = self.register_milliwh + 10_000 * 24 * 400 * MAX_POWER_W
        wrong = leap if fall % 2 or fall > self.register_milliwh else self.register_milliwh - fall
        if at > self.read_at:
            self._changes_no_money(lambda: self._sweep(self._register(wrong, at)))

    @precondition(lambda self: self.now - SINCE >= HOUR)
    @rule(back=st.integers(1, LATEST_HOURS), energy=energies, quality=st.sampled_from(["estimated", "measured"]))
    def an_interval_comes(self, back: int, energy: int, quality: wire.Quality) -> None:
        latest = max([*self.told, SINCE])
        start = max(SINCE, self.now - back * HOUR, latest - LATEST_HOURS * HOUR)
        if start + HOUR > self.now:
            return
        told = self.told.get(start)
        reading = self._interval(start, energy, quality)
        if told is not None:
            # The same again, or a contradiction that only a correction may make.
            self._changes_no_money(lambda: self._sweep(reading))
            return
        self._sweep(reading)
        self._knows(start, energy, quality)

    @precondition(lambda self: self.told)
    @rule(data=st.data(), energy=energies)
    def an_estimate_is_corrected(self, data: st.DataObject, energy: int) -> None:
        start = data.draw(st.sampled_from(sorted(self.told)))
        correction = self._interval(start, energy, "measured", is_correction=True)
        if self.told[start][1] == "estimated":
            self._sweep(correction)
            self._knows(start, energy, "measured")
        else:
            self._changes_no_money(lambda: self._sweep(correction))

    @rule(account=accounts, amount=amounts)
    def money_is_paid_in(self, account: str, amount: int) -> None:
        key = f"payment-{len(self.top_ups)}"
        position = self._top_up(account, amount, key).position
        self.top_ups[position] = (account, amount, key)
        self.books.pay(account, amount, now=self.now)

    @precondition(lambda self: self.top_ups)
    @rule(data=st.data(), more=st.integers(0, 5))
    def a_payment_is_sent_again(self, data: st.DataObject, more: int) -> None:
        position = data.draw(st.sampled_from(sorted(self.top_ups)))
        account, amount, key = self.top_ups[position]
        if more:
            self._is_refused(Conflict, lambda: self._top_up(account, amount + more, key))
        else:
            again = self._changes_no_money(lambda: self._top_up(account, amount, key))
            assert (again.position, again.is_repeat) == (position, True)

    @precondition(lambda self: self.top_ups)
    @rule(data=st.data())
    def a_payment_is_reversed(self, data: st.DataObject) -> None:
        position = data.draw(st.sampled_from(sorted(self.top_ups)))
        if position in self.reversed:
            self._is_refused(Refused, lambda: self._reverse(position))
            return
        account, amount, _ = self.top_ups[position]
        self.reversed[position] = self._reverse(position)
        self.books.undo(account, amount, now=self.now)

    @precondition(lambda self: self.top_ups)
    @rule(data=st.data(), to=accounts)
    def a_payment_goes_to_who_was_meant(self, data: st.DataObject, to: str) -> None:
        position = data.draw(st.sampled_from(sorted(self.top_ups)))
        account, amount, _ = self.top_ups[position]
        command = TransferTopUp(top_up_position=position, to_account=to)
        if position in self.reversed or to == account:
            self._is_refused(Refused, lambda: self._order(command))
            return
        self.reversed[position] = self._order(command)
        self.books.undo(account, amount, now=self.now)
        self.books.pay(to, amount, now=self.now)

    @rule(account=accounts, amount=amounts)
    def money_is_paid_out(self, account: str, amount: int) -> None:
        command = Refund(account=account, amount_micros=amount, channel="kiosk")
        if amount > self.books.balance(account):
            self._is_refused(Refused, lambda: self._order(command))
            return
        self._order(command)
        self.books.pay(account, -amount, now=self.now)

    @rule(account=accounts, amount=amounts, sign=st.sampled_from([-1, 1]), is_too_much=st.booleans())
    def a_balance_is_adjusted(self, account: str, amount: int, sign: int, is_too_much: bool) -> None:
        if is_too_much:
            above = Adjust(account=account, amount_micros=sign * (amount + 500_000_000))
            self._is_refused(NeedsApproval, lambda: self._order(above))
            return
        self._order(Adjust(account=account, amount_micros=sign * amount))
        self.books.pay(account, sign * amount, now=self.now)

    @rule(allow_late=st.booleans())
    def the_month_is_closed(self, allow_late: bool) -> None:
        month = following(self.books.closed_to) if self.books.closed_to else month_of(SINCE)

        def close(leave: bool = allow_late) -> None:
            close_month(self.ledger, month=month, operator="ana", now=self.now, allow_late=leave)

        if self.now < end_of(month):
            self._is_refused(Refused, close)
            return
        if not allow_late and self._missing(month):
            self._is_refused(ReadingsMissing, close)
            return
        close()
        self._project()
        record_balances(self.ledger, month=month, balances=sums_to(self.reader, month=month), now=self.now)
        self.books.close(month)
        self._is_refused(Refused, lambda: close(True))

    @rule()
    def nonsense_is_refused(self) -> None:
        self._is_refused(NotFound, lambda: self._top_up("nobody", 5, "nonsense"))
        self._is_refused(InvalidValue, lambda: self._top_up("tenant-1", 0, "nonsense"))
        self._is_refused(LedgerError, lambda: self._reverse(1))

    def check(self) -> None:
        """The ledger is what the plain books say, in every way that it can be asked."""
        self._project()
        check_ledger(self.database.url())
        head, _ = head_of(self.reader)
        for position in {head, head // 2, head // 3} - {0}:
            assert queries.trial_balance_at(self.reader, position=position).total == 0
        for model in MODELS:
            assert rebuild(self.database.url("wattledger_projector"), model.name, batch=13).is_equal
        for account in (*ACCOUNTS.values(), *PEOPLE) if self.books.rows else ():
            self._check_account(account)

    def _check_account(self, account: str) -> None:
        mine = [row for row in self.books.rows if row.account == account]
        months: dict[tuple[str, str], int] = {}
        for row in mine:
            key = (row.month, row.effective_month)
            months[key] = months.get(key, 0) + row.change_micros
        found = self.reader.execute(
            "SELECT month, effective_month, (-amount * 1000000)::bigint FROM projections.journal_monthly"
            " WHERE account = %s AND code = 'liabilities:prepayment'",
            (account,),
        ).fetchall()
        assert {(month, effective): micros for month, effective, micros in found if micros} == {
            key: micros for key, micros in months.items() if micros
        }
        for as_of in {SINCE + (self.now - SINCE) * part / 4 for part in range(5)}:
            steps = list(replay(self.reader, asked(self.reader, account=account, as_of=as_of)))
            told = (steps[-1].recorded_balance_micros, steps[-1].effective_balance_micros) if steps else (0, 0)
            assert told == (
                sum(row.change_micros for row in mine if row.recorded <= as_of),
                sum(row.change_micros for row in mine if row.effective <= as_of),
            )
        for month, closed in self.books.closed_micros.items():
            wanted = asked(self.reader, account=account, from_closing=month)
            assert wanted.closing is not None
            assert wanted.closing.balance_micros == closed.get(account, 0)
            steps = list(replay(self.reader, wanted))
            balance = steps[-1].recorded_balance_micros if steps else wanted.closing.balance_micros
            assert balance == self.books.balance(account)
        assert self.ledger.standing([account]).balance_micros(account) == self.books.balance(account)
        assert self.ledger.standing([account]).debt_micros(account) == self.books.debt_micros.get(account, 0)

    def _missing(self, month: str) -> bool:
        hours = (end_of(month) - (begins := max(SINCE, first_of(month)))) // HOUR
        gaps = any(begins + number * HOUR not in self.told for number in range(hours))
        return gaps or min(self.read_at, self.flat.read_at) < end_of(month)

    def _knows(self, start: datetime, energy: int, quality: str) -> None:
        before = self.told.get(start, (0, ""))[0]
        self.told[start] = (energy, quality)
        change, month = energy - before, month_of(start)
        self.books.use(ACCOUNTS[INTERVALS], change_milliwh=change, month=month, ended=start + HOUR, now=self.now)

    def _register(self, register_milliwh: int, at: datetime) -> wire.Reading:
        reading = wire.RegisterReading(meter=f"{REGISTER}-m", read_at=at, import_milliwh=register_milliwh)
        return wire.Reading(register=reading)

    def _interval(
        self, start: datetime, energy: int, quality: wire.Quality, *, is_correction: bool = False
    ) -> wire.Reading:
        reading = wire.IntervalReading(
            meter=f"{INTERVALS}-m", start=start, end=start + HOUR, import_milliwh=energy, quality=quality
        )
        if is_correction:
            reading = msgspec.structs.replace(reading, supersedes=intervals.identity(reading))
        return wire.Reading(interval=reading)

    def _sweep(self, reading: wire.Reading) -> None:
        self.sequence += 1
        self._send(wire.Sweep(concentrator="c1", collector="edge-1", sequence=self.sequence, readings=[reading]))

    def _tick(self, day: date) -> None:
        self._send(wire.Tick(concentrator="c1", local_date=day))

    def _send(self, payload: wire.Sweep | wire.Tick) -> None:
        message = message_of(partition_of("c1"), self.messages, wire.encode(payload), published_at=self.now)
        self.messages += 1
        assert self.applier.apply([message]) is not None

    def _newest_hold(self) -> int:
        return self._number("SELECT max(notification_id) FROM ledger.events WHERE topic = 'meter.reading-held/1'")

    def _top_up(self, account: str, amount: int, key: str) -> Any:
        return top_up(self.ledger, account=account, amount_micros=amount, channel="kiosk", key=key, now=self.now)

    def _reverse(self, position: int) -> int:
        return self._order(ReverseTopUp(top_up_position=position))

    def _order(self, command: MoneyCommand) -> int:
        by = By(operator="li", reason="wrong-amount", key=f"order-{next(self.keys)}", now=self.now)
        return carry_out(self.ledger, command, by=by).position

    def _changes_no_money(self, attempt: Callable[[], Any]) -> Any:
        before = self._moved()
        result = attempt()
        assert self._moved() == before
        return result

    def _is_refused(self, error: type[LedgerError], attempt: Callable[[], Any]) -> None:
        """A refused command changes nothing: not a single event."""
        before = head_of(self.reader)
        try:
            attempt()
        except error:
            assert head_of(self.reader) == before
        else:
            raise AssertionError(f"{error.__name__} was expected")

    def _moved(self) -> int:
        return self._number("SELECT count(*) FROM projections.journal")

    def _number(self, query: LiteralString) -> int:
        row = self.reader.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    def _project(self) -> None:
        with psycopg.connect(self.database.url("wattledger_projector"), autocommit=True) as connection:
            register(connection, models=MODELS)
            while project_next(connection, models=MODELS, limit=17):
                pass


# Finding the shortest way to a failure takes longer than any test that passes.
@pytest.mark.timeout(36_000 if EXAMPLES > 100 else 900)
def test_the_ledger_is_what_plain_books_say(postgres_server: EmbeddedPostgres, migrated_template: str) -> None:
    @contextmanager
    def fresh() -> Iterator[Database]:
        yield from _fresh_database(postgres_server, template=migrated_template)

    lives = type("Lives", (Life,), {"fresh": staticmethod(fresh)})
    run_state_machine_as_test(
        lives,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=int(os.environ.get("WATTLEDGER_LIFE_STEPS") or 30),
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
