"""What meters tell of their own credit: kept whenever it changes, and never money."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import psycopg
import pytest

from console.supplies.waiting_shown import show_own_credit, show_worklist
from ledger import wire
from ledger.store.meter_credit import told_credit
from tests.services.postgres import Database
from tests.streams.books import meter_histories
from tests.streams.direct import fault_free, messages_of, now, pricing_applier
from tests.streams.truth import Truth
from tests.streams.twins import TRUTH


def _telling(*told: dict[str, str] | None) -> Truth:
    """The truth, in which the first meter of c1 tells these in its first sweeps."""
    sweeps = list(TRUTH.sweeps["c1"])
    for number, credit in enumerate(told):
        first, *others = sweeps[number].readings
        assert first.register is not None
        register = msgspec.structs.replace(first.register, meter_credit=credit)
        sweeps[number] = msgspec.structs.replace(sweeps[number], readings=[wire.Reading(register=register), *others])
    return replace(TRUTH, sweeps={"c1": sweeps})


def _apply(database: Database, truth: Truth) -> None:
    applier = pricing_applier(database.url("wattledger_writer"))
    messages = messages_of(truth.sweeps["c1"], published_at=now())
    for _ in range(2):  # The second time nothing is left to do.
        for message in messages:
            applier.apply([message])
    applier.close()


def test_what_a_meter_tells_of_its_own_credit_is_kept_when_it_changes_and_a_recharge_is_work_for_somebody(
    estate: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"purchases": "3", "remaining": "500"}
    truth = _telling(told, None, told, told | {"remaining": "490"}, {"purchases": "4", "remaining": "900"})
    _apply(estate, truth)
    with psycopg.connect(estate.url("wattledger_finance")) as connection:
        purchases, remaining = told_credit(connection)
    times = [read_at for read_at, _ in truth.readings_of("c1-1")]
    assert (purchases.meter, purchases.name) == ("c1-1-m", "purchases")
    assert (purchases.first_value, purchases.first_at) == ("3", times[0])
    assert (purchases.value, purchases.changed_at, purchases.changes) == ("4", times[4], 1)
    assert (remaining.first_value, remaining.value, remaining.changes) == ("500", "900", 2)
    assert (purchases.is_recharge, remaining.is_recharge) == (True, False)

    environ = {"WATTLEDGER_DATABASE_URL": estate.url("wattledger_finance")}
    show_own_credit(environ, meter="c1-1-m")
    assert "purchases" in capsys.readouterr().out
    show_worklist(environ, kind="meter-recharged")
    recent = times[4] > now() - timedelta(days=31)
    assert ("c1-1-m" in capsys.readouterr().out) is recent


def test_what_is_too_long_for_the_table_is_cut_and_stops_nothing(estate: Database) -> None:
    _apply(estate, _telling({"n" * 9_000: "v" * 90_000}))
    with psycopg.connect(estate.url("wattledger_finance")) as connection:
        assert [(len(row.name), len(row.value)) for row in told_credit(connection)] == [(64, 16_384)]


def test_what_meters_tell_of_their_credit_changes_no_event(estate: Database, quiet: Database) -> None:
    told = _telling({"purchases": "3"}, {"purchases": "4"})
    fault_free(estate, replace(told, sweeps=TRUTH.sweeps | told.sweeps))
    supplies = [f"{concentrator}-{number}" for concentrator in TRUTH.sweeps for number in (1, 2)]
    histories = [meter_histories(database.url(), supplies) for database in (estate, quiet)]
    assert histories[0] == histories[1]
    assert all(histories[0].values())
