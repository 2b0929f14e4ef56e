"""Readings of a supply point that is billed by token are compared, never billed, and control leaves it alone."""

import psycopg
import pytest

from console.tokens.reconciling import reconciled
from ledger.store.application import Ledger
from ledger.store.gate import gated
from ledger.usecases.supply_life import change_multiplier
from ledger.usecases.tokens.setting_up import bill_by_token
from ledger.values.errors import Refused
from ledger.values.identity import meter_stream
from streams.applier import Stale
from streams.pricing import PricingDrafter
from tests.services.postgres import Database
from tests.streams.direct import fault_free, messages_of_truth, now
from tests.streams.twins import TRUTH

SUPPLY = "c1-1"


def bill(database: Database, supply: str = SUPPLY) -> None:
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        bill_by_token(ledger, supply=supply, unit_milliwh=100_000, size="standard", operator="ana", now=now())


def events_of(database: Database, supply: str) -> int:
    with psycopg.connect(database.url("wattledger_finance")) as connection:
        row = connection.execute(
            "SELECT count(*) FROM ledger.events WHERE originator_id = %s", (meter_stream(supply),)
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_readings_of_a_token_supply_are_kept_and_nothing_is_billed(estate: Database) -> None:
    bill(estate)
    fault_free(estate, TRUTH)
    assert events_of(estate, SUPPLY) == 0
    assert events_of(estate, "c1-2") > 0
    with psycopg.connect(estate.url("wattledger_finance"), autocommit=True) as connection:
        (one,) = reconciled(connection, now=now())
        kept = connection.execute("SELECT count(*) FROM tokens.registers").fetchone()
    assert (one.supply, one.vended_milliwh) == (SUPPLY, 0)
    assert one.used_milliwh is not None
    assert one.is_wrong is (one.used_milliwh > 100_000)
    assert kept is not None
    assert kept[0] == len({read_at for read_at, _ in TRUTH.readings_of(SUPPLY)})


def test_what_was_billed_by_readings_stays_so(estate: Database) -> None:
    fault_free(estate, TRUTH)
    with pytest.raises(Refused, match="readings of 'c1-1' were billed already"):
        bill(estate)


def test_a_batch_that_was_priced_before_is_priced_anew(estate: Database) -> None:
    drafter = PricingDrafter(clock=now)
    messages = messages_of_truth(TRUTH)[:10]
    with psycopg.connect(estate.url("wattledger_writer"), autocommit=True) as connection:
        priced = drafter.prepare(connection, messages)
        bill(estate)
        with pytest.raises(Stale), gated(connection) as gate:
            drafter.append(gate, priced)
        again = drafter.prepare(connection, messages)
        with gated(connection) as gate:
            drafter.append(gate, again)
    assert len(again.token_registers) > 0
    assert events_of(estate, SUPPLY) == 0


def test_a_reading_that_comes_late_counts_under_the_multiplier_of_its_time(estate: Database) -> None:
    bill(estate)
    readings = sorted(TRUTH.readings_of(SUPPLY))
    at, register = readings[len(readings) // 2]
    with Ledger(url=estate.url("wattledger_writer")) as ledger:
        change_multiplier(ledger, supply=SUPPLY, multiplier="2", at=at, register_milliwh=register, now=now())
    fault_free(estate, TRUTH)
    with psycopg.connect(estate.url("wattledger_finance")) as connection:
        kept = connection.execute("SELECT read_at, register_milliwh FROM tokens.registers").fetchall()
    assert dict(kept) == {read_at: own * (1 if read_at < at else 2) for read_at, own in readings}
