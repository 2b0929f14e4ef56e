"""What brought an account to the line at which it is cut: plain usage, or something that grants grace.

The account's events are gone through from the newest back, each taken off the balance, until what is left is above
the line: the last one taken off crossed it. Where the line itself moved on the way, by another policy or by emergency
credit, it is put back to where it was; who was above it there was brought under it by the policy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain import tariff as tariff_domain
from ledger.domain.account_facts import DebitCorrected
from ledger.domain.credit.facts import EmergencyCreditTaken
from ledger.domain.credit.figures import AccountFigures, line_micros
from ledger.domain.credit.policy import CreditPolicy
from ledger.domain.event import Fact
from ledger.domain.meter import UsageCorrected, UsageDebited
from ledger.domain.meter_life import OccupancyCorrected
from ledger.domain.relay import GraceCause
from ledger.domain.switching_rules import SwitchingRules
from ledger.domain.tariff import TariffHistory
from ledger.store.mapper import fact_of
from ledger.values.identity import tariff_stream
from projections.balances import prepayment_of
from projections.line import PolicyStep
from projections.situation import LONG_AGO, Crossing

_FEW, _MANY = 20, 2_000

_ENTRIES = """
SELECT a.account, e.notification_id, e.topic, e.state
FROM unnest(%s::text[]) AS a (account)
CROSS JOIN LATERAL (
    SELECT position FROM projections.account_entries
    WHERE account = a.account AND position <= %s ORDER BY position DESC LIMIT %s
) AS n
JOIN ledger.events AS e ON e.notification_id = n.position
ORDER BY a.account, n.position DESC
"""

TariffOf = Callable[[str], TariffHistory | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """An event that changed an account's balance, by so many micro-units, or its line, by emergency credit taken."""

    position: int
    change_micros: int
    fact: Fact


def entry_of(position: int, account: str, fact: Fact) -> Entry | None:
    """Return what an event did to an account's balance or line, None where it left both as they were."""
    change = prepayment_of(fact).get(account, 0)
    if change or (isinstance(fact, EmergencyCreditTaken) and fact.account == account):
        return Entry(position, change, fact)
    return None


def crossing_of(
    entries: Sequence[Entry],
    steps: Sequence[PolicyStep],
    *,
    policy: CreditPolicy,
    figures: AccountFigures,
    rules: SwitchingRules,
    tariff_of: TariffOf,
    is_whole: bool,
) -> Crossing | None:
    """Return what crossed the line, of an account's entries and of the steps of its policy, from the newest back.

    By the line as it was at each time; where that grants no grace, by the line as it is. `is_whole` says that what
    there is to know of is among them; else None means that more are needed.
    """
    looking = _LookingBack(entries, policy, figures, rules, tariff_of, is_whole)
    as_it_was = looking.by_the_lines_of_then(steps)
    if as_it_was is None or as_it_was.grace is not None:
        return as_it_was
    as_it_is = looking.by_the_line_of_now()
    return as_it_was if as_it_is is not None and as_it_is.grace is None else as_it_is


@dataclass(frozen=True, slots=True)
class _LookingBack:
    """An account's entries, its policy and its figures behind the newest of them."""

    entries: Sequence[Entry]
    policy: CreditPolicy
    figures: AccountFigures
    rules: SwitchingRules
    tariff_of: TariffOf
    is_whole: bool

    def by_the_lines_of_then(self, steps: Sequence[PolicyStep]) -> Crossing | None:
        left_micros, policy, figures, passed = self.figures.usable_micros, self.policy, self.figures, 0
        for entry in self.entries:
            while passed < len(steps) and steps[passed].is_after(entry.position, entry.fact):
                policy = steps[passed].before
                if left_micros > line_micros(policy, figures):
                    return Crossing(steps[passed].position, "policy-change")
                passed += 1
            if isinstance(entry.fact, EmergencyCreditTaken):
                figures = replace(figures, emergency_limit_micros=0)
            left_micros -= entry.change_micros
            if left_micros > line_micros(policy, figures):
                return self._crossed_by(entry)
        return self._further_back()

    def by_the_line_of_now(self) -> Crossing | None:
        left_micros, line = self.figures.usable_micros, line_micros(self.policy, self.figures)
        for entry in self.entries:
            left_micros -= entry.change_micros
            if left_micros > line:
                return self._crossed_by(entry)
        return self._further_back()

    def _crossed_by(self, entry: Entry) -> Crossing:
        return Crossing(entry.position, grace_cause(entry.fact, rules=self.rules, tariff_of=self.tariff_of))

    def _further_back(self) -> Crossing | None:
        return LONG_AGO if self.is_whole else None


def grace_cause(fact: Fact, *, rules: SwitchingRules, tariff_of: TariffOf) -> GraceCause | None:
    """Return why an event that crossed the line grants grace; None for usage as it happens."""
    if isinstance(fact, UsageCorrected | OccupancyCorrected | DebitCorrected):
        return "correction"
    if not isinstance(fact, UsageDebited):
        return None
    if rules.gap_s and fact.ended_at - fact.started_at > timedelta(seconds=rules.gap_s):
        return "catch-up"
    is_new = any(
        _is_new(tariff_of(tariff), version, fact.ended_at, rules)
        for tariff, version in {(line.tariff, line.version) for line in fact.lines}
    )
    return "tariff-change" if is_new else None


def _is_new(history: TariffHistory | None, version: int, at: datetime, rules: SwitchingRules) -> bool:
    """Tell whether other prices held until lately; the first version of a tariff changes nobody's prices."""
    if history is None:
        return False
    published = next((row for row in history.versions if row.version == version), None)
    if published is None or all(row.version == version for row in history.versions):
        return False
    if history.versions[0].version == version:
        return False
    return at < max(published.effective_from, published.recorded_at) + rules.grace


def entries_upto(
    connection: Connection[Any], accounts: Sequence[str], *, position: int, is_few: bool
) -> dict[str, tuple[list[Entry], bool]]:
    """Return each account's entries from a position back, and whether those are all that are ever looked at."""
    limit = _FEW if is_few else _MANY
    found: dict[str, list[Entry]] = {account: [] for account in accounts}
    counts = dict.fromkeys(accounts, 0)
    with connection.cursor(row_factory=tuple_row) as cursor:
        for account, at, topic, state in cursor.execute(_ENTRIES, (list(accounts), position, limit)):
            counts[account] += 1
            entry = entry_of(at, account, fact_of(topic, bytes(state)))
            if entry is not None:
                found[account].append(entry)
    return {account: (rows, not is_few or counts[account] < limit) for account, rows in found.items()}


def tariffs_read(connection: Connection[Any]) -> TariffOf:
    """Return a way to ask for tariffs' versions, each read once."""
    known: dict[str, TariffHistory | None] = {}

    def tariff_of(code: str) -> TariffHistory | None:
        if code not in known:
            known[code] = _tariff(connection, code)
        return known[code]

    return tariff_of


def _tariff(connection: Connection[Any], code: str) -> TariffHistory | None:
    history: TariffHistory | None = None
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "SELECT topic, state FROM ledger.events WHERE originator_id = %s ORDER BY originator_version",
            (tariff_stream(code),),
        )
        for topic, state in cursor:
            history = tariff_domain.evolve(history, fact_of(topic, bytes(state)))
    return history
