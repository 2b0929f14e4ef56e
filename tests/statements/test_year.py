"""Twelve statements of a year against what beancount makes of the account's export, and their proofs offline."""

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from beancount import loader
from beancount.core import data
from psycopg import Connection

from ledger.domain import chart
from ledger.integrity.keys import public_keys_from_text
from ledger.integrity.proof import check_proof
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.money import decimal_from_micros
from projections.exports.beancount_names import code_and_account
from projections.exports.export import export
from projections.statements.gathering import KINDS
from projections.statements.reading import read_statement
from projections.statements.statement import Standing, Statement
from tests.statements.conftest import ACCOUNT, MONTHS, Year

COLUMNS = {
    "balance_micros": (chart.PREPAYMENT, -1),
    "debt_micros": (chart.DEBT, 1),
    "accrued_micros": (chart.ACCRUED_CHARGES, 1),
}


def statement_of(finance: Connection[Any], month: str) -> Statement:
    return read_statement(finance, account=ACCOUNT, month=month, this_month="2026-01")


def beancount_sums(finance: Connection[Any], directory: Path) -> Counter[tuple[str, str]]:
    """Sums per month and code of the account, by beancount's own reading of the export."""
    export(finance, form="beancount", directory=directory, account=ACCOUNT)
    entries, errors, _ = loader.load_file(str(directory / "ledger.beancount"))
    assert errors == []
    sums: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        for posting in entry.postings if isinstance(entry, data.Transaction) else ():
            code, account = code_and_account(posting.account)
            if account == ACCOUNT:
                assert posting.units is not None
                sums[entry.meta["month"], code] += posting.units.number  # type: ignore[assignment, operator]
    return sums


def test_the_statements_of_a_year_come_to_what_beancount_makes_of_the_export(
    finance: Connection[Any], tmp_path: Path
) -> None:
    sums = beancount_sums(finance, tmp_path / "export")
    statements = [statement_of(finance, month) for month in [*MONTHS, "2026-01"]]
    assert any(amount for (_, _), amount in sums.items())
    for statement in statements:
        for column, (code, sign) in COLUMNS.items():
            told = sum(getattr(row.change, column) for row in statement.movements)
            assert decimal_from_micros(told) == sign * Decimal(sums[statement.month, code]), (statement.month, column)
        advances = sum(amount for (month, code), amount in sums.items() if month == statement.month
                       and chart.taxed_component(code) is not None)  # fmt: skip
        assert decimal_from_micros(sum(row.change.advance_tax_micros for row in statement.movements)) == advances
    total = sum(amount for (_, code), amount in sums.items() if code == chart.PREPAYMENT)
    assert decimal_from_micros(statements[-1].closing.balance_micros) == -total


def test_each_month_opens_as_the_one_before_it_closed(finance: Connection[Any]) -> None:
    before = Standing()
    for month in MONTHS:
        statement = statement_of(finance, month)
        assert statement.opening == before, month
        before = statement.closing


def test_every_kind_of_event_is_in_the_year(finance: Connection[Any], year: Year) -> None:
    kinds = {row.kind for month in MONTHS for row in statement_of(finance, month).movements}
    assert kinds == set(KINDS.values())


def test_what_supplies_were_charged_is_what_left_the_balance(finance: Connection[Any]) -> None:
    for month in MONTHS:
        statement = statement_of(finance, month)
        charged = sum(
            row.change.balance_micros
            for row in statement.movements
            if row.kind in ("usage", "vended", "time-charge", "minimum", "correction", "given-back")
        )
        assert charged == -sum(part.amount_micros for part in statement.supplies)


def test_a_closed_month_is_final_and_takes_nothing_more_in(finance: Connection[Any]) -> None:
    assert statement_of(finance, "2025-03").is_final
    assert statement_of(finance, "2025-12").is_final
    assert not statement_of(finance, "2026-01").is_final


def test_the_shown_figures_add_up_with_rounding_and_carry_forward(finance: Connection[Any]) -> None:
    for month in MONTHS:
        statement = statement_of(finance, month)
        shown = statement.shown(statement.opening.balance_micros) + statement.rounding_micros
        shown += sum(statement.shown(row.change.balance_micros) for row in statement.movements)
        assert shown == statement.shown(statement.closing.balance_micros)
        assert shown % 10_000 == 0
        assert shown + statement.carry_forward_micros == statement.closing.balance_micros
        assert abs(statement.carry_forward_micros) <= 5_000


def test_each_statements_proof_checks_offline(finance: Connection[Any], year: Year) -> None:
    keys = public_keys_from_text(year.public_key)
    for month in MONTHS:
        statement = statement_of(finance, month)
        assert statement.proof is not None
        assert statement.proof.position == statement.last_position
        check_proof(statement.proof, keys=keys)


@pytest.mark.parametrize(
    ("account", "month", "error", "told"),
    [
        (ACCOUNT, "2025-13", InvalidValue, "'2025-13' is no month"),
        (ACCOUNT, "2027-01", Refused, "month 2027-01 has not begun"),
        (ACCOUNT, "2024-12", NotFound, "nothing in 2024-12 or before"),
        ("nobody", "2025-01", NotFound, "the books know no account 'nobody'"),
    ],
)
def test_what_there_is_no_statement_of_is_told(
    finance: Connection[Any], account: str, month: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        read_statement(finance, account=account, month=month, this_month="2026-01")
