"""Balances know their currency, those from before they did as well."""

from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

import migrations
from projections import queries
from projections.catalogue import named
from tests.projections.builders import Story, a_busy_month
from tests.projections.conftest import Project
from tests.services.postgres import Database

MIGRATION = Path(migrations.__file__).parent / "sql" / "0007.currency.sql"


def test_an_accounts_currency_stands_beside_its_balance(
    story: Story, finance: Connection[Any], project: Project
) -> None:
    story.move_in("flat-1", "anna", credit_micros=1)
    project()
    assert [row.currency for row in queries.balances(finance)] == ["EUR"]
    assert queries.currencies(finance) == ("EUR",)


def test_balances_from_before_there_were_currencies_get_theirs(
    database: Database, story: Story, projector: Connection[Any], project: Project
) -> None:
    story.tell_each(a_busy_month())
    project(limit=20)
    model = named("balances")
    before = model.digest(projector)
    with psycopg.connect(database.url(), autocommit=True) as owner:
        owner.execute("ALTER TABLE projections.balances DROP COLUMN currency")
        owner.execute(MIGRATION.read_bytes())
    assert model.digest(projector) == before
