"""A site that asks for consent gets its power back with it, once, and never without."""

from datetime import timedelta

import pytest

from ledger.domain.relay import CloseConsented
from ledger.domain.site import Reconnection
from ledger.store.application import Ledger
from ledger.usecases.relays import clear_lock, consent_to_close, set_lock
from ledger.values.errors import Refused
from projections.decide import Order, decide
from projections.switching import switched
from tests.projections.builders import (
    START,
    Story,
    concluded,
    operator_locked,
    settings_changed,
    topped_up,
    usage_debited,
)
from tests.projections.conftest import Project
from tests.projections.estate import Estate
from tests.projections.test_decide import cut_off, situation, words

MINUTE = timedelta(minutes=1)
CONSENTED = CloseConsented(supply="flat-1", account="anna", channel="app", recorded_at=START)


@pytest.mark.parametrize(("reconnection", "is_closed"), [("confirm", True), ("arm", False)])
def test_a_consent_closes_where_the_site_asks_for_one(reconnection: Reconnection, is_closed: bool) -> None:
    topped = decide(situation(6_000_000, cut_off(), reconnection=reconnection), now=START)
    switching = cut_off()
    for fact in (*topped.facts, CONSENTED):
        switching = switched(switching, fact)
    decision = decide(situation(6_000_000, switching, reconnection=reconnection), now=START)
    assert (words(decision.facts), decision.order) == ([], Order("close", "consented") if is_closed else None)


def test_a_lock_beside_a_consent_keeps_the_supply_off() -> None:
    switching = switched(switched(cut_off(), CONSENTED), operator_locked("flat-1", "anna", at=START))
    assert decide(situation(6_000_000, switching, reconnection="confirm"), now=START).order is None


def consent(story: Story, estate: Estate) -> None:
    with Ledger(url=story.url) as ledger:
        consent_to_close(ledger, supply="flat-1", channel="app", now=estate.now)
    estate.history("flat-1")


def turn(estate: Estate, project: Project) -> None:
    for _ in range(2):
        project()
        estate.decide()


@pytest.fixture
def cut(story: Story, estate: Estate, project: Project) -> Story:
    """A supply on a site that asks for consent, cut off and topped up again."""
    story.used_up("flat-1", "anna")
    story.tell(settings_changed(reconnection="confirm"))
    turn(estate, project)
    story.tell(concluded(estate.order("flat-1"), "confirmed", at=estate.now))
    story.tell(topped_up(account="anna", amount_micros=30_000_000))
    turn(estate, project)
    return story


def test_power_comes_back_with_the_consent_and_not_before(cut: Story, estate: Estate, project: Project) -> None:
    assert estate.kinds("flat-1")[-1] == "lock-cleared credit"
    consent(cut, estate)
    turn(estate, project)
    assert estate.kinds("flat-1")[-2:] == ["close-consented", "order-issued close"]
    assert estate.order("flat-1").reason == "consented"


def test_a_consent_is_used_once(cut: Story, estate: Estate, project: Project) -> None:
    consent(cut, estate)
    turn(estate, project)
    cut.tell(concluded(estate.order("flat-1"), "confirmed", at=estate.now))
    cut.tell(usage_debited(supply="flat-1", account="anna", amount_micros=40_000_000))
    turn(estate, project)
    assert estate.order("flat-1").action == "open"
    cut.tell(concluded(estate.order("flat-1"), "confirmed", at=estate.now))
    cut.tell(topped_up(account="anna", amount_micros=50_000_000))
    estate.later(MINUTE)
    turn(estate, project)
    assert estate.kinds("flat-1")[-1] == "lock-cleared credit"
    consent(cut, estate)
    turn(estate, project)
    assert estate.order("flat-1").action == "close"


def test_a_closing_that_failed_is_repeated_while_the_consent_is_fresh(
    cut: Story, estate: Estate, project: Project
) -> None:
    consent(cut, estate)
    turn(estate, project)
    cut.tell(concluded(estate.order("flat-1"), "failed", at=estate.now))
    estate.later(MINUTE)
    turn(estate, project)
    assert estate.kinds("flat-1")[-2:] == ["order-concluded", "order-issued close"]
    cut.tell(concluded(estate.order("flat-1"), "failed", at=estate.now))
    estate.later(20 * MINUTE)
    turn(estate, project)
    assert estate.kinds("flat-1")[-1] == "order-concluded"
    consent(cut, estate)
    turn(estate, project)
    assert estate.kinds("flat-1")[-2:] == ["close-consented", "order-issued close"]


def test_a_consent_that_nobody_acted_on_grows_old(cut: Story, estate: Estate, project: Project) -> None:
    consent(cut, estate)
    estate.later(15 * MINUTE)
    turn(estate, project)
    assert estate.kinds("flat-1")[-1] == "close-consented"


def test_a_lock_after_the_consent_overtakes_it(cut: Story, estate: Estate, project: Project) -> None:
    consent(cut, estate)
    with Ledger(url=cut.url) as ledger:
        set_lock(ledger, supply="flat-1", reason="works", operator="op-7", now=estate.now)
        with pytest.raises(Refused, match="held off by operator"):
            consent_to_close(ledger, supply="flat-1", channel="app", now=estate.now)
        clear_lock(ledger, supply="flat-1", reason="works-done", operator="op-7", now=estate.now)
    turn(estate, project)
    assert estate.kinds("flat-1")[-3:] == ["close-consented", "lock-set operator", "lock-cleared operator"]


@pytest.mark.parametrize(("reconnection", "end"), [("automatic", ["order-issued close"]), ("confirm", [])])
def test_an_operator_locks_a_supply_off_and_unlocks_it(
    story: Story, estate: Estate, project: Project, reconnection: Reconnection, end: list[str]
) -> None:
    story.tell(settings_changed(reconnection=reconnection))
    story.move_in("flat-1", "anna", credit_micros=90_000_000)
    with Ledger(url=story.url) as ledger:
        set_lock(ledger, supply="flat-1", reason="works", operator="op-7", now=estate.now)
        turn(estate, project)
        assert estate.kinds("flat-1") == ["lock-set operator", "order-issued open"]
        assert estate.order("flat-1").reason == "locked-operator"
        clear_lock(ledger, supply="flat-1", reason="works-done", operator="op-7", now=estate.now)
    turn(estate, project)
    assert estate.kinds("flat-1")[2:] == ["lock-cleared operator", *end]
