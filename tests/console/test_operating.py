"""The operators' commands on a real ledger: what they say is what stands."""

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from console.commands import operating
from ledger.store.application import Ledger
from ledger.usecases.tariffs import publish_tariff
from ledger.values.errors import Refused
from tests.ledger.builders import FLAT_TARIFF, MOVED_IN
from tests.services.postgres import Database


@pytest.fixture
def app(database: Database, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database.url("wattledger_writer"))
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        publish_tariff(ledger, text=FLAT_TARIFF, effective_from=MOVED_IN, note="", now=MOVED_IN)
    app = typer.Typer()
    operating.register(app)
    return app


def said(app: typer.Typer, *arguments: str) -> str:
    outcome = CliRunner().invoke(app, list(arguments))
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_setting_a_site_says_all_that_holds_and_keeps_what_was_not_given(app: typer.Typer) -> None:
    assert "reconnection confirm, warning below 10.00, since" in said(app, "site", "set", "north")
    assert "reconnection automatic, warning below 10.00" in said(
        app, "site", "set", "north", "--reconnection", "automatic"
    )
    assert "reconnection automatic, warning below 7.50" in said(
        app, "site", "set", "north", "--warning-balance", "7.5"
    )
    told = said(app, "site", "set", "north")
    assert "reconnection automatic, warning below 7.50" in told
    assert "(nothing changed)" in told


ADD = [
    "supply", "add", "room-1", "--site", "north", "--concentrator", "c1", "--meter", "m1", "--account", "a",
    "--tariff", "flat", "--opening-kwh", "1.5",
]  # fmt: skip


def test_adding_a_supply_point_again_has_nothing_to_do(app: typer.Typer) -> None:
    said(app, "site", "set", "north")
    assert "room-1: account a opened in CNY" in said(app, *ADD)
    assert said(app, *ADD) == "room-1: nothing to do, all of it stands already\n"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (["--opening-kwh", "2"], "opening register"),
        (["--currency", "EUR"], "currency"),
        (["--site", "x"], "site set x"),
    ],
)
def test_adding_it_differently_is_refused(app: typer.Typer, changed: list[str], told: str) -> None:
    said(app, "site", "set", "north")
    said(app, *ADD)
    outcome: Any = CliRunner().invoke(app, ADD + changed)
    assert isinstance(outcome.exception, Refused)
    assert told in str(outcome.exception)
