"""A commissioning from the cabinet to the read models: the walk, its signed record, and what is booked."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from collectors.simulator.run import simulating
from collectors.site import Site
from console.commands import commissioning, operating
from ledger.store.application import Ledger
from ledger.usecases.supply_life import exchange_meter, supply_of
from ledger.usecases.tariffs import publish_tariff
from ledger.values.commissioning import commissioning_public_key_hex
from ledger.values.errors import InvalidValue, Refused
from ledger.values.signing import new_signing_key_hex
from projections.catalogue import MODELS
from projections.process import connect
from projections.project import project_next, register
from tests.collectors.builders import a_site, serial_of
from tests.collectors.simulated_meters import EVENING
from tests.ledger.builders import FLAT_TARIFF, MOVED_IN
from tests.ledger.test_usecases_equip import METER
from tests.services.postgres import Database

KEY = new_signing_key_hex()


@pytest.fixture
def app(database: Database, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database.url("wattledger_writer"))
    monkeypatch.setenv("WATTLEDGER_COMMISSIONING_KEY", KEY)
    monkeypatch.setenv("WATTLEDGER_COMMISSIONING_PUBLIC_KEYS", commissioning_public_key_hex(KEY))
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        publish_tariff(ledger, text=FLAT_TARIFF, effective_from=MOVED_IN, note="", now=MOVED_IN)
    app = typer.Typer()
    operating.register(app)
    commissioning.register(app)
    ran(app, "site", "set", "north", "--requires-commissioning")
    ran(app, "supply", "add", "S1", "--site", "north", "--concentrator", "C1", "--meter", serial_of(1),
        "--account", "a", "--tariff", "flat")  # fmt: skip
    return app


def ran(app: typer.Typer, *arguments: str, code: int = 0) -> str:
    outcome: Result = CliRunner().invoke(app, list(arguments))
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    assert outcome.exit_code == code, outcome.output
    return outcome.output


@contextmanager
def simulated(site: Site) -> Iterator[None]:
    """Serve a site from a thread of its own, for commands run loops of theirs."""
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with simulating(site=site, start=EVENING):
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.05)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(20)
        yield
    finally:
        over.set()
        thread.join(20)


def commission(app: typer.Typer, directory: Path, *more: str, code: int = 0) -> str:
    command = ["commission", "--site", str(directory / "site.toml"), "--meter", serial_of(1)]
    return ran(app, *command, "--operator", "op-7", "--min-load-w", "1", "--yes", *more, code=code)


def read_models(database: Database) -> tuple[tuple[Any, ...], ...]:
    """What the read models say of S1 and of its site."""
    with connect(database.url("wattledger_projector"), name="test") as connection:
        register(connection, models=MODELS)
        while project_next(connection, models=MODELS, limit=2):
            pass
        supplies = connection.execute("SELECT supply, commissioned FROM projections.supplies").fetchall()
        return (*supplies, *connection.execute("SELECT requires_commissioning FROM projections.sites").fetchall())


def test_a_commissioning_is_booked_at_once_where_the_ledger_is_reached_and_a_new_meter_needs_its_own(
    app: typer.Typer, database: Database, tmp_path: Path
) -> None:
    assert read_models(database) == (("S1", False), (True,))
    with simulated(a_site(tmp_path)):
        told = commission(app, tmp_path)
    assert "load-falls" in told
    assert "S1: commissioned (position" in told
    assert read_models(database) == (("S1", True), (True,))
    assert "by op-7, relay tripped" in ran(app, "supply", "show", "S1")
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        now = datetime.now(UTC)
        exchange_meter(ledger, supply="S1", meter=METER, at=now, closing_milliwh=None, opening_milliwh=0, now=now)
        assert not supply_of(ledger, "S1").is_commissioned
    assert read_models(database) == (("S1", False), (True,))


def test_a_failed_one_is_booked_as_failed_and_the_newest_result_counts(
    app: typer.Typer, database: Database, tmp_path: Path
) -> None:
    site = a_site(tmp_path)
    with simulated(site):
        commission(app, tmp_path)
    assert "NOT commissioned, serial failed" in commission(app, tmp_path, "--timeout", "1", code=1)
    assert read_models(database) == (("S1", False), (True,))


def test_a_record_made_without_the_ledger_is_booked_once_and_only_as_it_was_signed(
    app: typer.Typer, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "room-1.json"
    url = database.url("wattledger_writer")
    monkeypatch.delenv("WATTLEDGER_DATABASE_URL")
    with simulated(a_site(tmp_path)):
        assert "S1: passed; book it" in commission(app, tmp_path, "--record", str(file))
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", url)
    altered = tmp_path / "altered.json"
    altered.write_bytes(file.read_bytes().replace(b'"S1"', b'"S2"'))
    with pytest.raises(InvalidValue, match="signed by none of the known"):
        ran(app, "supply", "commissioned", str(altered))
    assert "S1: commissioned (position" in ran(app, "supply", "commissioned", str(file))
    assert "S1: commissioned (booked before)" in ran(app, "supply", "commissioned", str(file))
    assert read_models(database) == (("S1", True), (True,))
    monkeypatch.setenv("WATTLEDGER_COMMISSIONING_PUBLIC_KEYS", "")
    with pytest.raises(InvalidValue, match="none of the known"):
        ran(app, "supply", "commissioned", str(file))


def test_a_record_of_another_concentrator_than_the_ledgers_is_refused(app: typer.Typer, tmp_path: Path) -> None:
    ran(app, "supply", "concentrator", "S1", "C2")
    with simulated(a_site(tmp_path)), pytest.raises(Refused, match="read through 'C2'"):
        commission(app, tmp_path)


def test_a_ledger_that_is_not_reached_is_told_before_anything_is_switched(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_site(tmp_path)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    with pytest.raises(Exception, match="does not answer"):
        commission(app, tmp_path)
