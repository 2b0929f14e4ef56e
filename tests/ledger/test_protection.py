"""Protected supply points: protected by one, lifted by two, and a review that lapses is work, not a cut."""

from datetime import timedelta

import pytest

from ledger.domain import supply as supply_stream_of
from ledger.domain.supply import Supply
from ledger.store.application import Ledger
from ledger.usecases.protection import checked_category, lift_protection, note_lapsed_review, protect_supply
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import register_supply
from ledger.values.errors import InvalidValue, Refused
from ledger.values.identity import supply_stream
from tests.ledger.builders import MOVED_IN

TODAY = MOVED_IN.date()
REVIEW = TODAY + timedelta(days=365)


@pytest.fixture
def supply(ledger: Ledger) -> str:
    change_site_settings(ledger, site="north", effective_from=MOVED_IN, now=MOVED_IN)
    register_supply(ledger, supply="lift-1", site="north", concentrator="c-1", now=MOVED_IN)
    return "lift-1"


def state(ledger: Ledger, supply: str) -> Supply:
    found: Supply | None = ledger.folded(supply_stream(supply), supply_stream_of.evolve, None)[0]
    assert found is not None
    return found


def protect(ledger: Ledger, supply: str) -> int:
    return protect_supply(
        ledger,
        supply=supply,
        category="lift",
        evidence="doc-17",
        review_on=REVIEW,
        operator="li",
        now=MOVED_IN,
    )


def lift(ledger: Ledger, supply: str, *, approved_by: str) -> int:
    return lift_protection(
        ledger, supply=supply, operator="li", approved_by=approved_by, reason="removed", now=MOVED_IN
    )


def test_one_protects_and_two_lift(ledger: Ledger, supply: str) -> None:
    protect(ledger, supply)
    assert state(ledger, supply).protection is not None
    with pytest.raises(Refused):
        lift(ledger, supply, approved_by="li")
    assert state(ledger, supply).protection is not None
    lift(ledger, supply, approved_by="wang")
    assert state(ledger, supply).protection is None
    with pytest.raises(Refused, match="nothing to lift"):
        lift(ledger, supply, approved_by="wang")


def test_a_review_that_lapses_is_told_once_and_protects_all_the_same(ledger: Ledger, supply: str) -> None:
    protect(ledger, supply)
    before = REVIEW - timedelta(days=1)
    assert note_lapsed_review(ledger, supply=supply, today=before, now=MOVED_IN) == 0
    assert note_lapsed_review(ledger, supply=supply, today=REVIEW, now=MOVED_IN) > 0
    assert note_lapsed_review(ledger, supply=supply, today=REVIEW, now=MOVED_IN) == 0
    lapsed = state(ledger, supply)
    assert lapsed.is_review_lapsed
    assert lapsed.protection is not None
    protect(ledger, supply)
    assert not state(ledger, supply).is_review_lapsed


def test_a_protection_names_what_it_is_for_and_when_to_look_again(ledger: Ledger, supply: str) -> None:
    with pytest.raises(InvalidValue, match="category 'aquarium' is not known; use one of life-support"):
        checked_category("aquarium")
    with pytest.raises(InvalidValue, match="not after today"):
        protect_supply(
            ledger, supply=supply, category="lift", evidence="d", review_on=TODAY, operator="li", now=MOVED_IN
        )
