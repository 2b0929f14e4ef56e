"""An account's history against a plain model: a list of what happened, when, and when it was recorded."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from console.audit.replay_shown import as_csv, as_json_lines, as_table, evidence
from ledger.domain.books import MonthClosed
from ledger.domain.credit.applying import Applied
from ledger.domain.event import Fact
from ledger.domain.switching_rules import SwitchingRules
from ledger.store.log import head_of
from ledger.values.errors import NotFound
from projections.queries import BeyondTheHead
from projections.replay import asked, replay
from tests.projections.builders import (
    START,
    Story,
    a_busy_month,
    rules_set,
    topped_up,
    usage_corrected,
    usage_debited,
)
from tests.projections.conftest import Project
from tests.services.postgres import Database

ACCOUNTS = ("anna", "ben")


@dataclass(frozen=True)
class Happening:
    """What the model knows of an event: whose balance it changes by how much, when, and when it was recorded."""

    account: str
    other_account: str
    kind: str
    amount_micros: int
    took_effect: datetime
    recorded: datetime

    def fact(self) -> Fact:
        match self.kind:
            case "top-up":
                fact: Fact = topped_up(account=self.account, amount_micros=self.amount_micros)
            case "debit":
                fact = usage_debited(
                    supply=f"flat-of-{self.account}",
                    account=self.account,
                    amount_micros=self.amount_micros,
                    at=self.took_effect,
                )
            case _:
                # The supply is the other's: a correction of a shared history gives back to whoever paid.
                amounts = {self.other_account: self.amount_micros, self.account: -self.amount_micros}
                fact = usage_corrected(
                    supply=f"flat-of-{self.other_account}",
                    amounts_micros=amounts,
                    usage_milliwh=1,
                    at=self.took_effect,
                )
        return msgspec.structs.replace(fact, recorded_at=self.recorded)

    def change_of(self, account: str) -> int:
        sign = {"top-up": 1, "debit": -1, "correction": 1}[self.kind]
        if account == self.account:
            return sign * self.amount_micros
        return -self.amount_micros if self.kind == "correction" and account == self.other_account else 0

    @property
    def effective(self) -> datetime:
        return self.recorded if self.kind == "top-up" else self.took_effect


def _happening(account: str, kind: str, amount: int, minute: int, delay: int) -> Happening:
    took_effect = START + timedelta(minutes=minute)
    other = next(name for name in ACCOUNTS if name != account)
    return Happening(account, other, kind, amount, took_effect, took_effect + timedelta(minutes=delay))


HAPPENINGS = st.builds(
    _happening,
    st.sampled_from(ACCOUNTS),
    st.sampled_from(("top-up", "debit", "correction")),
    st.integers(1, 10**12),
    st.integers(0, 90 * 24 * 60),
    st.integers(0, 60 * 24 * 60),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    happenings=st.lists(HAPPENINGS, min_size=1, max_size=15),
    projected=st.integers(0, 15),
    minute=st.integers(-10, 160 * 24 * 60),
    cut=st.integers(0, 15),
)
def test_balances_in_both_times_are_those_of_the_plain_model(
    happenings: list[Happening],
    projected: int,
    minute: int,
    cut: int,
    story: Story,
    finance: Connection[Any],
    project: Project,
) -> None:
    base, _ = head_of(finance)
    as_of = START + timedelta(minutes=minute)
    story.tell(*(one.fact() for one in happenings[:projected] or happenings))
    # Some of it the projection has not seen: history must not depend on how far that is.
    project()
    if projected and happenings[projected:]:
        story.tell(*(one.fact() for one in happenings[projected:]))
    known = happenings[: max(1, cut)]
    for account in {one.account for one in known}:
        mine = [one for one in known if one.change_of(account)]
        before = _balances_before(finance, account=account, position=base, as_of=as_of)
        steps = list(replay(finance, asked(finance, account=account, position=base + len(known), as_of=as_of)))
        steps = [step for step in steps if step.entry.position > base]
        by_then = [one for one in mine if one.recorded <= as_of or one.effective <= as_of]
        assert [step.entry.amount_micros for step in steps] == [one.change_of(account) for one in by_then]
        if steps:
            assert (
                steps[-1].recorded_balance_micros - before[0],
                steps[-1].effective_balance_micros - before[1],
            ) == (
                sum(one.change_of(account) for one in mine if one.recorded <= as_of),
                sum(one.change_of(account) for one in mine if one.effective <= as_of),
            )


def _balances_before(connection: Connection[Any], *, account: str, position: int, as_of: datetime) -> tuple[int, int]:
    """What earlier examples left on the account: they share a database, as accounts share a ledger."""
    if position == 0:
        return 0, 0
    try:
        steps = list(replay(connection, asked(connection, account=account, position=position, as_of=as_of)))
    except NotFound:
        return 0, 0
    return (steps[-1].recorded_balance_micros, steps[-1].effective_balance_micros) if steps else (0, 0)


@pytest.fixture
def busy(story: Story) -> Story:
    story.tell_each(a_busy_month())
    return story


def test_a_history_is_the_same_however_far_the_projection_has_come(
    busy: Story, finance: Connection[Any], project: Project
) -> None:
    from_the_log = list(replay(finance, asked(finance, account="household-1")))
    project()
    assert list(replay(finance, asked(finance, account="household-1"))) == from_the_log
    topics = {step.topic for step in from_the_log}
    # Its own stream, its meter's, its supply's and its relay's.
    assert {"account.opened/1", "meter.usage-debited/1", "supply.occupied/1", "relay.order-issued/1"} <= topics


def test_a_history_holds_corrections_of_debits_in_streams_of_others(
    busy: Story, finance: Connection[Any], project: Project
) -> None:
    project()
    steps = list(replay(finance, asked(finance, account="household-2")))
    corrected = [step for step in steps if step.topic == "meter.usage-corrected/1"]
    assert [step.entry.amount_micros for step in corrected] == [-7 * day for day in range(1, 6)]


def test_what_comes_after_its_month_was_closed_is_in_the_open_month_with_its_own_kept(
    busy: Story, finance: Connection[Any], project: Project
) -> None:
    project()
    months = {
        (step.entry.effective_month, step.entry.month)
        for step in replay(finance, asked(finance, account="household-0"))
        if step.entry.amount_micros
    }
    assert months == {("2026-06", "2026-07"), ("2026-07", "2026-07")}


def test_a_usage_that_ends_at_midnight_belongs_to_the_month_before(
    story: Story, finance: Connection[Any], project: Project
) -> None:
    story.tell(
        usage_debited(supply="f", account="a", amount_micros=6, at=datetime.fromisoformat("2026-08-01T00:00Z"))
    )
    story.tell(topped_up(account="a", amount_micros=6, at=datetime.fromisoformat("2026-08-01T00:00Z")))
    project()
    assert [step.entry.month for step in replay(finance, asked(finance, account="a"))] == ["2026-07", "2026-08"]


def test_an_account_that_nothing_touches_is_told_as_unknown(busy: Story, finance: Connection[Any]) -> None:
    with pytest.raises(NotFound, match="'household-77'; check the code"):
        list(replay(finance, asked(finance, account="household-77")))
    with pytest.raises(BeyondTheHead):
        asked(finance, account="household-0", position=10**6)


def test_a_month_that_is_not_closed_cannot_be_begun_from(busy: Story, finance: Connection[Any]) -> None:
    with pytest.raises(NotFound, match="month 2026-08 is not closed"):
        asked(finance, account="household-0", from_closing="2026-08")


def test_json_lines_hold_every_event_as_it_is_stored(busy: Story, finance: Connection[Any], project: Project) -> None:
    project()
    wanted = asked(finance, account="household-0")
    lines = [json.loads(text) for text in as_json_lines(wanted, replay(finance, wanted))]
    stored = finance.execute(
        "SELECT convert_from(state, 'UTF8')::jsonb, notification_id FROM ledger.events"
    ).fetchall()
    events = {row[1]: row[0] for row in stored}
    assert all(events[line["position"]] == line["event"] for line in lines[:-1])
    balance = finance.execute("SELECT balance FROM projections.balances WHERE account = 'household-0'").fetchone()
    assert balance is not None
    assert Decimal(lines[-1]["summary"]["balance"]) == balance[0]


def test_csv_has_a_row_per_event(busy: Story, finance: Connection[Any], project: Project) -> None:
    project()
    wanted = asked(finance, account="household-0")
    rows = list(csv.DictReader(StringIO("".join(as_csv(wanted, replay(finance, wanted))))))
    steps = list(replay(finance, wanted))
    assert [int(row["position"]) for row in rows] == [step.entry.position for step in steps]
    assert json.loads(rows[-1]["event"])["recorded_at"]


def test_the_table_tells_evidence_postings_and_balances(
    busy: Story, finance: Connection[Any], project: Project
) -> None:
    project()
    wanted = asked(finance, account="household-0", as_of=START + timedelta(days=2))
    text = "".join(as_table(wanted, replay(finance, wanted)))
    assert "meter.usage-debited/1" in text
    assert "usage_kwh 1," in text
    assert "liabilities:prepayment household-0" in text
    assert "(of 2026-06, booked in 2026-07)" in text
    assert "balance as effective by then" in text


def test_the_books_know_the_month_that_was_closed_last(
    story: Story, finance: Connection[Any], project: Project
) -> None:
    story.tell(MonthClosed(month="2026-06", zone="Asia/Shanghai", operator="ana", recorded_at=START))
    project()
    rows = finance.execute("SELECT position, version, zone, closed_to FROM projections.accounting").fetchall()
    assert rows == [(1, 1, "Asia/Shanghai", "2026-06")]


def test_who_reads_the_first_lines_only_is_told_nothing_else(
    story: Story, database: Database, project: Project
) -> None:
    """As in `wattledger audit replay anna | head -1`."""
    story.tell(*(usage_debited(supply="f", account="anna", amount_micros=6) for _ in range(400)))
    project()
    command = [sys.executable, "-m", "console", "audit", "replay", "anna"]
    environment = os.environ | {"WATTLEDGER_DATABASE_URL": database.url("wattledger_finance")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"Account anna")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 0


def test_what_has_parts_is_told_as_people_write_it() -> None:
    top_up = topped_up(account="anna", amount_micros=6_000_000)
    parts = [Applied("debt", 1_000_000), Applied("balance", 5_000_000)]
    told = evidence(msgspec.structs.replace(top_up, applied=parts))
    assert "applied (part debt, amount 1.00); (part balance, amount 5.00)" in told
    rules = evidence(rules_set(SwitchingRules(grace_s=7)))
    assert "grace_s 7" in rules
    assert "SwitchingRules" not in rules
