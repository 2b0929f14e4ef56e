"""A tariff version may not start in a past that is billed already: usage would stand at prices of another time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ledger.domain.meter import UsageDebited
from ledger.domain.tariff import TariffPublished
from ledger.store.application import Ledger
from ledger.store.log import read_log
from ledger.usecases import tariffs
from ledger.usecases.billed_past import BilledPast, billed_past
from ledger.usecases.supplies import assign_tariff
from ledger.usecases.tariffs import Deciders, publish_tariff
from ledger.values.errors import Refused
from tests.estate import FLAT_TARIFF, build_estate
from tests.services.postgres import Database
from tests.streams.direct import fault_free, now
from tests.streams.truth import make_truth

TRUTH = make_truth({"c1": ["c1-1-m", "c1-2-m"]}, sweeps=8)
TWO_PEOPLE = Deciders(proposed_by="li", approved_by="wang")
DEARER = FLAT_TARIFF.replace("0.617", "1.234")


@pytest.fixture
def ledger(database: Database) -> Iterator[Ledger]:
    """Two supply points on the tariff `flat`, not billed yet."""
    with Ledger(url=database.url("wattledger_writer")) as opened:
        build_estate(opened, meters_each=2, opened_at=TRUTH.opened_at)
        yield opened


def billed_to(database: Database) -> dict[str, datetime]:
    with psycopg.connect(database.url()) as connection:
        facts = [entry.fact for entry in read_log(connection, after=0, limit=10_000)]
    return {fact.supply: fact.ended_at for fact in facts if isinstance(fact, UsageDebited)}


def publish(ledger: Ledger, effective_from: datetime) -> int:
    return publish_tariff(
        ledger, text=DEARER, effective_from=effective_from, note="dearer", now=now(), deciders=TWO_PEOPLE
    )


def test_it_is_refused_and_says_which_supply_is_billed_how_far_and_what_to_do(
    database: Database, ledger: Ledger
) -> None:
    fault_free(database, TRUTH)
    billed = billed_to(database)
    last = max(billed, key=lambda code: billed[code])
    with pytest.raises(Refused) as refused:
        publish(ledger, TRUTH.opened_at)
    assert f"supply point {last!r} is billed to {billed[last].isoformat()} already" in str(refused.value)
    assert "and 1 more are billed beyond it; let it start then or later" in str(refused.value)
    with pytest.raises(Refused, match="let it start then or later"):
        publish(ledger, billed[last] - timedelta(microseconds=1))
    assert publish(ledger, billed[last]) == 2


def test_what_nobody_was_billed_in_is_no_billed_past(ledger: Ledger) -> None:
    assert publish(ledger, TRUTH.opened_at + timedelta(minutes=1)) == 2


def test_a_supply_that_went_to_another_tariff_before_is_not_minded(database: Database, ledger: Ledger) -> None:
    other = FLAT_TARIFF.replace('code = "flat"', 'code = "other"')
    publish_tariff(ledger, text=other, effective_from=datetime(2020, 1, 1, tzinfo=UTC), note="", now=now())
    moved_at = TRUTH.opened_at + timedelta(minutes=3)
    for supply in ("c1-1", "c1-2"):
        assign_tariff(ledger, supply=supply, tariff="other", effective_from=moved_at, now=now())
    fault_free(database, TRUTH)
    with pytest.raises(Refused, match="billed to"):
        publish(ledger, moved_at - timedelta(seconds=1))
    assert publish(ledger, moved_at) == 2


def test_before_the_first_version_nothing_was_billed_and_it_may_start(database: Database, ledger: Ledger) -> None:
    fault_free(database, TRUTH)
    assert publish(ledger, TRUTH.opened_at - timedelta(days=100)) == 2


def test_what_is_billed_while_it_is_decided_is_seen_inside_the_gate(
    database: Database, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def racing(ledger: Ledger, *, tariff: str, effective_from: datetime) -> BilledPast:
        past = billed_past(ledger, tariff=tariff, effective_from=effective_from)
        fault_free(database, TRUTH)
        return past

    monkeypatch.setattr(tariffs, "billed_past", racing)
    with pytest.raises(Refused, match="billed to"):
        publish(ledger, TRUTH.opened_at)
    with psycopg.connect(database.url()) as connection:
        log = read_log(connection, after=0, limit=10_000)
    assert [entry.fact.version for entry in log if isinstance(entry.fact, TariffPublished)] == [1]


def test_other_terms_may_not_start_in_it_either(database: Database, ledger: Ledger) -> None:
    fault_free(database, TRUTH)
    billed = billed_to(database)["c1-1"]
    with pytest.raises(Refused, match=r"is billed to .* already; let it start then or later"):
        assign_tariff(ledger, supply="c1-1", tariff="flat", effective_from=billed - timedelta(seconds=1), now=now())
    assign_tariff(ledger, supply="c1-1", tariff="flat", effective_from=billed + timedelta(days=1), now=now())


def test_terms_before_the_first_may_start_in_a_past_that_nobody_was_billed_in(
    database: Database, ledger: Ledger
) -> None:
    fault_free(database, TRUTH)
    assign_tariff(
        ledger, supply="c1-1", tariff="flat", effective_from=TRUTH.opened_at - timedelta(hours=1), now=now()
    )
