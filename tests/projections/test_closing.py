"""Accounting months close in order, once, complete or with leave; what comes late is booked in the open month."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from typer.testing import CliRunner

from console.cli import make_app
from ledger.domain.books import OPEN, BalancesClosed
from ledger.domain.expected import covered_from
from ledger.domain.meter import MeterState, UsageDebited
from ledger.store.application import Ledger
from ledger.usecases import closing
from ledger.usecases.closing import ReadingsMissing, close_month, record_balances, set_accounting_zone
from ledger.values.errors import InvalidValue, Refused
from ledger.values.identity import books_stream
from projections.closed import sums_to
from projections.replay import asked, replay
from tests.projections.builders import START, Story, settings_changed, topped_up, usage_debited
from tests.projections.conftest import Project
from tests.services.postgres import Database

JULY_ENDS = datetime(2026, 8, 1, tzinfo=UTC)
IN_AUGUST = JULY_ENDS + timedelta(days=3)
IN_SEPTEMBER = JULY_ENDS + timedelta(days=35)


def billed(supply: str, account: str, *, to: datetime, amount_micros: int = 600_000, at: datetime) -> UsageDebited:
    """A debit that bills a register up to an instant, recorded at another."""
    fact = usage_debited(supply=supply, account=account, amount_micros=amount_micros, at=to)
    return msgspec.structs.replace(fact, state=MeterState(billed_to=to), recorded_at=at)


@pytest.fixture
def ledger(database: Database) -> Iterator[Ledger]:
    with Ledger(url=database.url("wattledger_writer")) as application:
        yield application


@pytest.fixture
def house(story: Story) -> Story:
    """Two flats in July; flat-1 is billed to the end of the month, flat-2 to its 30th."""
    story.tell(settings_changed())
    for number in (1, 2):
        story.move_in(f"flat-{number}", f"tenant-{number}", credit_micros=10_000_000)
    story.tell(billed("flat-1", "tenant-1", to=JULY_ENDS, at=IN_AUGUST))
    story.tell(billed("flat-2", "tenant-2", to=JULY_ENDS - timedelta(days=1), at=IN_AUGUST))
    return story


def close_july(ledger: Ledger, *, allow_late: bool = True, now: datetime = IN_AUGUST) -> closing.Closed:
    return close_month(ledger, month="2026-07", operator="ana", now=now, allow_late=allow_late)


def test_a_month_with_readings_missing_is_refused_and_they_are_named(house: Story, ledger: Ledger) -> None:
    with pytest.raises(
        ReadingsMissing, match=r"1 supply points .*flat-2 \(to 2026-07-31T00:00:00\+00:00\)"
    ) as refused:
        close_july(ledger, allow_late=False)
    assert [one.supply for one in refused.value.missing] == ["flat-2"]
    assert closing.books_of(ledger) == OPEN


@pytest.mark.parametrize("month", ["2026-06", "0202-07"])
def test_a_month_before_anything_was_is_not_closed(house: Story, ledger: Ledger, month: str) -> None:
    with pytest.raises(Refused, match=f"month {month} is before the ledger's first, 2026-07"):
        close_month(ledger, month=month, operator="ana", now=IN_AUGUST, allow_late=True)
    assert closing.books_of(ledger) == OPEN


def test_an_empty_ledger_has_no_month_to_close(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="the ledger is empty"):
        close_july(ledger)


def test_a_meter_that_stood_still_to_the_months_end_is_not_missing(house: Story, ledger: Ledger) -> None:
    with ledger.datastore.transaction(commit=True) as cursor:
        cursor.execute("INSERT INTO ledger.meters_seen (supply, seen_at) VALUES ('flat-2', %s)", (JULY_ENDS,))
    assert close_july(ledger, allow_late=False).missing == []


def test_a_supply_that_was_never_read_is_missing(house: Story, ledger: Ledger) -> None:
    house.move_in("flat-3", "tenant-3")
    with pytest.raises(ReadingsMissing, match=r"flat-3 \(no reading\)"):
        close_july(ledger, allow_late=False)


def test_a_month_closed_late_tells_what_was_missing(house: Story, ledger: Ledger) -> None:
    closed = close_july(ledger)
    assert [one.supply for one in closed.missing] == ["flat-2"]
    (event,) = ledger.events.get(books_stream())
    assert (event.fact.missing_supplies, event.fact.missing) == (1, ["flat-2"])  # type: ignore[attr-defined]


def test_months_close_in_order_and_are_never_opened_again(
    house: Story, ledger: Ledger, finance: Connection[Any], project: Project
) -> None:
    with pytest.raises(Refused, match="not over until 2026-09-01"):
        close_month(ledger, month="2026-08", operator="ana", now=IN_AUGUST, allow_late=True)
    close_july(ledger)
    with pytest.raises(Refused, match=r"2026-07 is closed .* never opened again"):
        close_july(ledger)
    with pytest.raises(Refused, match="balances of 2026-07 are not all recorded"):
        close_month(ledger, month="2026-08", operator="ana", now=IN_SEPTEMBER, allow_late=True)
    project()
    record_balances(ledger, month="2026-07", balances=sums_to(finance, month="2026-07"), now=IN_AUGUST)
    with pytest.raises(Refused, match="close 2026-08 first"):
        close_month(ledger, month="2026-09", operator="ana", now=IN_SEPTEMBER, allow_late=True)
    with pytest.raises(InvalidValue, match="write it like 2026-07"):
        close_month(ledger, month="July", operator="ana", now=IN_SEPTEMBER)


def test_usage_that_comes_late_is_booked_in_the_open_month_with_its_own_kept(
    house: Story, ledger: Ledger, finance: Connection[Any], project: Project
) -> None:
    house.wrote_elsewhere(books_stream(), 1)
    close_july(ledger)
    house.tell(billed("flat-2", "tenant-2", to=JULY_ENDS, amount_micros=900_000, at=IN_AUGUST))
    project()
    rows = finance.execute(
        "SELECT month, effective_month, sum(-amount) FROM projections.journal_monthly"
        " WHERE code LIKE 'income:%' GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()
    assert rows == [
        ("2026-07", "2026-07", Decimal("1.0")),
        ("2026-08", "2026-07", Decimal("0.75")),
    ]


def test_the_balances_as_closed_and_what_followed_make_the_balance(
    house: Story, ledger: Ledger, finance: Connection[Any], project: Project
) -> None:
    # August has begun before July is closed: that is not in July's balance.
    house.tell(topped_up(account="tenant-1", amount_micros=5_000_000, at=IN_AUGUST))
    close_july(ledger)
    house.tell(billed("flat-2", "tenant-2", to=JULY_ENDS, amount_micros=900_000, at=IN_AUGUST))
    project()
    record_balances(ledger, month="2026-07", balances=sums_to(finance, month="2026-07"), now=IN_AUGUST)
    for account, closed, now in (("tenant-1", 9_400_000, 14_400_000), ("tenant-2", 9_400_000, 8_500_000)):
        wanted = asked(finance, account=account, from_closing="2026-07")
        assert wanted.closing is not None
        assert wanted.closing.balance_micros == closed
        steps = list(replay(finance, wanted))
        assert len(steps) == 1
        assert steps[-1].recorded_balance_micros == now
        assert list(replay(finance, asked(finance, account=account)))[-1].recorded_balance_micros == now


def test_an_account_that_had_nothing_closes_at_nothing(
    house: Story, ledger: Ledger, finance: Connection[Any], project: Project
) -> None:
    close_july(ledger)
    house.move_in("flat-9", "tenant-9", credit_micros=3)
    project()
    record_balances(ledger, month="2026-07", balances=sums_to(finance, month="2026-07"), now=IN_AUGUST)
    wanted = asked(finance, account="tenant-9", from_closing="2026-07")
    assert wanted.closing is not None
    assert wanted.closing.balance_micros == 0


def test_balances_cut_off_half_way_are_gone_on_with(
    house: Story, ledger: Ledger, finance: Connection[Any], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "BALANCES_PER_PART", 2)
    close_july(ledger)
    project()
    balances = list(sums_to(finance, month="2026-07"))
    appends = Ledger.append

    def cut_off(self: Ledger, *events: Any, **options: Any) -> int:
        if closing.books_of(self).parts_kept == 1:
            raise ConnectionError("the machine is gone")
        return appends(self, *events, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "append", cut_off)
        with pytest.raises(ConnectionError):
            record_balances(ledger, month="2026-07", balances=balances, now=IN_AUGUST)
    with pytest.raises(Refused, match="not all recorded; run again"):
        asked(finance, account="tenant-2", from_closing="2026-07")
    # What was booked since is in another month, so the second attempt sees the same.
    house.tell(billed("flat-2", "tenant-2", to=JULY_ENDS, at=IN_AUGUST))
    project()
    assert list(sums_to(finance, month="2026-07")) == balances
    parts = record_balances(ledger, month="2026-07", balances=balances, now=IN_AUGUST)
    events: list[Any] = list(ledger.events.get(books_stream()))
    kept = [event.fact for event in events if isinstance(event.fact, BalancesClosed)]
    assert [(fact.part, fact.parts) for fact in kept] == [(n, parts) for n in range(1, parts + 1)]
    assert [row for fact in kept for row in fact.balances] == balances
    assert record_balances(ledger, month="2026-07", balances=balances, now=IN_AUGUST) == parts
    for account in ("tenant-1", "tenant-2"):
        wanted = asked(finance, account=account, from_closing="2026-07")
        assert wanted.closing is not None
        assert wanted.closing.balance_micros == 9_400_000


def test_the_zone_of_the_books_is_set_before_anything_is_booked(story: Story, ledger: Ledger) -> None:
    with pytest.raises(InvalidValue, match="Asia/Shanghay"):
        set_accounting_zone(ledger, zone="Asia/Shanghay", now=START)
    story.tell(settings_changed())
    assert set_accounting_zone(ledger, zone="Asia/Shanghai", now=START) > 0
    assert set_accounting_zone(ledger, zone="Asia/Shanghai", now=START) == 0
    story.tell(topped_up(account="a", amount_micros=1))
    with pytest.raises(Refused, match="the books keep their zone"):
        set_accounting_zone(ledger, zone="UTC", now=START)
    shanghai_is_in_august = JULY_ENDS - timedelta(hours=8)
    assert close_july(ledger, now=shanghai_is_in_august).position > 0


def test_intervals_must_reach_the_months_end_without_a_gap() -> None:
    begins = int(START.timestamp())
    whole = ((begins, begins + 7_200),)
    gap = ((begins, begins + 3_600), (begins + 5_400, begins + 7_200))
    assert covered_from(whole, START) == START + timedelta(hours=2)
    assert covered_from(gap, START) == START + timedelta(hours=1)
    assert covered_from(gap, START + timedelta(minutes=70)) is None


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bookings=st.lists(
        st.tuples(st.sampled_from(["anna", "ben"]), st.integers(-12 * 3600, 12 * 3600), st.integers(1, 10**9)),
        min_size=2,
        max_size=10,
    ),
    closed_after=st.integers(1, 10),
)
def test_closed_balances_never_change_whatever_is_booked_afterwards(
    bookings: list[tuple[str, int, int]],
    closed_after: int,
    postgres_server: Any,
    migrated_template: str,
) -> None:
    from projections.catalogue import MODELS
    from projections.process import connect
    from projections.project import project_next, register
    from tests.services.postgres import _fresh_database

    for database in _fresh_database(postgres_server, template=migrated_template):
        story = Story(database.url("wattledger_writer"))
        facts = [
            billed(f"of-{account}", account, to=JULY_ENDS + timedelta(seconds=second), amount_micros=amount, at=START)
            for account, second, amount in bookings
        ]
        cut = min(closed_after, len(facts))
        story.tell(*facts[:cut])
        with (
            Ledger(url=story.url) as ledger,
            connect(database.url("wattledger_projector"), name="test") as projector,
        ):
            close_july(ledger)
            if facts[cut:]:
                story.tell(*facts[cut:])
            register(projector, models=MODELS)
            while project_next(projector, models=MODELS, limit=3):
                pass
            before = {account: 0 for account, _, _ in bookings}
            for (account, _, amount), fact in list(zip(bookings, facts, strict=True))[:cut]:
                before[account] += amount if fact.ended_at <= JULY_ENDS else 0
            prepaid = {
                row.account: row.amount_micros
                for row in sums_to(projector, month="2026-07")
                if row.code == "liabilities:prepayment"
            }
            assert prepaid == {account: amount for account, amount in before.items() if amount}
            assert sum(row.amount_micros for row in sums_to(projector, month="2026-07")) == 0


def test_a_month_is_closed_and_an_account_replayed_from_it_at_the_command_line(
    house: Story, database: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, app = CliRunner(), make_app()
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database.url("wattledger_writer"))
    refused = runner.invoke(app, ["ledger", "close-month", "2026-07"])
    assert isinstance(refused.exception, ReadingsMissing)
    stop = threading.Event()

    def keep_projecting() -> None:
        while not stop.wait(0.05):
            project()

    runs = threading.Thread(target=keep_projecting)
    runs.start()
    try:
        done = runner.invoke(app, ["ledger", "close-month", "2026-07", "--allow-late", "--operator", "ana"])
    finally:
        stop.set()
        runs.join()
    assert done.exit_code == 0, done.output
    assert "late: flat-2 of account tenant-2, read to 2026-07-31T00:00:00+00:00" in done.output
    assert "2026-07 is closed" in done.output
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database.url("wattledger_finance"))
    told = runner.invoke(app, ["audit", "replay", "tenant-1", "--from-closing", "2026-07", "--format", "jsonl"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.output.splitlines()[-1])["summary"]["balance as closed"] == "9.40"
