"""What must be so before anybody is cut for credit, told by facts in a real ledger."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest
from psycopg import Connection
from typer.testing import CliRunner

from console.cli import make_app
from ledger.domain.credit.policy import CreditPolicy, CreditPolicySet
from ledger.domain.event import Fact
from ledger.domain.meter import UsageDebited
from ledger.domain.relay import GraceBegun, GraceExtended
from ledger.domain.site import Reconnection
from ledger.domain.switching_rules import SwitchingRules
from ledger.domain.tariff import TariffPublished
from ledger.store.application import Ledger
from ledger.usecases.relays import force_on, set_lock
from ledger.usecases.switching import cuts_decided, dismiss_cuts, held_cuts, release_cuts
from ledger.values.errors import NotFound
from ledger.values.identity import cuts_stream
from projections import worklist
from projections.justify import justified, orders_of
from tests.projections.builders import (
    AT_ONCE,
    SITE,
    START,
    Story,
    concluded,
    rules_set,
    settings_changed,
    topped_up,
    usage_corrected,
    usage_debited,
)
from tests.projections.conftest import Project
from tests.projections.estate import Estate

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def rules(**changes: int) -> SwitchingRules:
    return msgspec.structs.replace(AT_ONCE, **changes)


@pytest.fixture
def flat(story: Story) -> Story:
    """A household with 9 to its credit on a site that warns below 5."""
    story.tell(settings_changed())
    story.move_in("flat-1", "anna", credit_micros=9_000_000)
    return story


def used(amount_micros: int, *, estate: Estate, over: timedelta = 5 * MINUTE, version: int = 1) -> UsageDebited:
    debit = usage_debited(supply="flat-1", account="anna", amount_micros=amount_micros, at=estate.now)
    lines = [msgspec.structs.replace(line, version=version) for line in debit.lines]
    state = msgspec.structs.replace(debit.state, billed_to=estate.now)
    return msgspec.structs.replace(debit, started_at=estate.now - over, lines=lines, state=state)


def decide_on(story: Story, estate: Estate, project: Project, *facts: Fact) -> list[str]:
    """Tell facts, let control decide, and return the relay's history in words."""
    if facts:
        story.tell(*facts)
    for _ in range(2):
        project()
        estate.decide()
    return estate.kinds("flat-1")


CUT = ["lock-set credit", "order-issued open"]


def test_nobody_is_cut_before_the_warning_is_old_enough(flat: Story, estate: Estate, project: Project) -> None:
    flat.tell(rules_set(rules(warning_lead_s=3600)))
    assert decide_on(flat, estate, project, used(9_000_000, estate=estate)) == ["low-balance-warned"]
    estate.later(59 * MINUTE)
    assert decide_on(flat, estate, project) == ["low-balance-warned"]
    estate.later(MINUTE)
    assert decide_on(flat, estate, project)[1:] == CUT


def test_nobody_is_cut_by_an_old_reading(flat: Story, estate: Estate, project: Project) -> None:
    flat.tell(rules_set(rules(reading_age_s=1800)))
    flat.tell(used(9_000_000, estate=estate))
    estate.later(31 * MINUTE)
    assert decide_on(flat, estate, project) == ["low-balance-warned"]
    assert decide_on(flat, estate, project, used(1, estate=estate))[1:] == CUT


@pytest.mark.parametrize("cause", ["catch-up", "correction", "tariff-change"])
def test_what_is_not_plain_usage_starts_a_grace_period(
    flat: Story, estate: Estate, project: Project, cause: str
) -> None:
    flat.tell(rules_set(rules(gap_s=3600, grace_s=7200)))
    flat.tell(*tariff_versions(changed_at=estate.now - HOUR))
    flat.tell(used(3_000_000, estate=estate, version=2 if cause != "tariff-change" else 1))
    crossed: dict[str, Fact] = {
        "catch-up": used(7_000_000, estate=estate, over=2 * HOUR),
        "correction": usage_corrected(supply="flat-1", amounts_micros={"anna": 7_000_000}, usage_milliwh=1),
        "tariff-change": used(7_000_000, estate=estate, version=2),
    }
    history = decide_on(flat, estate, project, crossed[cause])
    assert history == ["low-balance-warned", f"grace-begun {cause}"]
    (grace,) = [fact for fact in estate.history("flat-1") if isinstance(fact, GraceBegun)]
    assert (grace.cause, grace.until - estate.now) == (cause, 2 * HOUR)
    # Plain usage on top of it does not end it; its end does, and it is given once.
    assert decide_on(flat, estate, project, used(1_000_000, estate=estate)) == history
    estate.later(2 * HOUR)
    assert decide_on(flat, estate, project)[2:] == CUT


@pytest.mark.parametrize("whose", [{}, {"account": "anna"}, {"account_class": "domestic"}])
def test_a_line_that_is_raised_over_somebody_starts_a_grace_period(
    flat: Story, estate: Estate, project: Project, whose: dict[str, str]
) -> None:
    flat.tell(rules_set(rules(gap_s=3600, grace_s=7200)))
    raised = CreditPolicySet(
        site=SITE,
        effective_from=estate.now + HOUR,
        policy=CreditPolicy(warnings_micros=(8_000_000,), cut_at_micros=7_000_000),
        operator="ana",
        recorded_at=estate.now,
        **whose,
    )
    history = decide_on(flat, estate, project, used(3_000_000, estate=estate), raised)
    assert history == []
    estate.later(HOUR)
    expected = ["low-balance-warned", "grace-begun policy-change"] if "account_class" not in whose else []
    assert decide_on(flat, estate, project) == expected
    estate.later(2 * HOUR)
    assert decide_on(flat, estate, project)[2:] == (CUT if expected else [])


def test_who_came_above_a_raised_line_and_used_it_up_was_told_of_it(
    flat: Story, estate: Estate, project: Project
) -> None:
    flat.tell(rules_set(rules(gap_s=3600, grace_s=7200)))
    policy = CreditPolicy(warnings_micros=(8_000_000,), cut_at_micros=7_000_000)
    flat.tell(
        CreditPolicySet(site=SITE, effective_from=estate.now, policy=policy, operator="ana", recorded_at=estate.now)
    )
    assert decide_on(flat, estate, project, used(3_000_000, estate=estate))[1:] == CUT


def tariff_versions(*, changed_at: object) -> Sequence[Fact]:
    first = TariffPublished(tariff="flat", version=1, effective_from=START, text="", note="", recorded_at=START)
    return first, msgspec.structs.replace(first, version=2, effective_from=changed_at, recorded_at=changed_at)


def test_plain_usage_by_an_old_tariff_grants_no_grace(flat: Story, estate: Estate, project: Project) -> None:
    flat.tell(rules_set(rules(gap_s=3600, grace_s=7200)), *tariff_versions(changed_at=START - 9 * HOUR))
    assert decide_on(flat, estate, project, used(9_000_000, estate=estate, version=2))[1:] == CUT


def test_while_a_site_is_silent_nobody_is_warned_or_cut_and_grace_is_extended(
    flat: Story, estate: Estate, project: Project, projector: Connection[object], writer: Connection[object]
) -> None:
    flat.tell(rules_set(rules(gap_s=3600, grace_s=7200, silence_s=900)))

    def heard() -> None:
        writer.execute(
            "INSERT INTO ledger.sweeps (collector, concentrator, sequence, applied_at) VALUES ('e', 'conc-1', 1, %s)"
            " ON CONFLICT (collector, concentrator) DO UPDATE SET applied_at = excluded.applied_at",
            (estate.now,),
        )

    heard()
    history = decide_on(flat, estate, project, used(9_000_000, estate=estate, over=2 * HOUR))
    assert history == ["low-balance-warned", "grace-begun catch-up"]
    estate.later(4 * HOUR)
    assert decide_on(flat, estate, project)[2:] == ["grace-extended"]
    (extended,) = [fact for fact in estate.history("flat-1") if isinstance(fact, GraceExtended)]
    assert extended.until - estate.now == 2 * HOUR
    heard()
    assert decide_on(flat, estate, project)[3:] == []
    estate.later(2 * HOUR)
    heard()
    assert decide_on(flat, estate, project)[3:] == CUT


def test_a_supply_that_was_just_switched_on_is_not_cut_at_once(flat: Story, estate: Estate, project: Project) -> None:
    flat.tell(rules_set(rules(least_on_s=300)))
    decide_on(flat, estate, project, used(9_000_000, estate=estate))
    flat.tell(concluded(estate.order("flat-1"), "confirmed", at=estate.now))
    estate.later(MINUTE)
    assert decide_on(flat, estate, project, topped_up(account="anna", amount_micros=1))[-1] == "order-issued close"
    flat.tell(concluded(estate.order("flat-1"), "confirmed", at=estate.now))
    flat.tell(used(5, estate=estate))
    estate.later(4 * MINUTE)
    assert decide_on(flat, estate, project)[-1] != "order-issued open"
    estate.later(MINUTE)
    assert decide_on(flat, estate, project)[-1] == "order-issued open"


@pytest.fixture
def dark_building(story: Story, estate: Estate, project: Project) -> list[str]:
    """Twenty households that a mistyped tariff has put below zero within minutes."""
    story.tell(settings_changed(), rules_set(rules()))
    flats = [f"flat-{number}" for number in range(1, 21)]
    for flat in flats:
        story.move_in(flat, f"of-{flat}", credit_micros=9_000_000)
    story.tell(*(usage_debited(supply=flat, account=f"of-{flat}", amount_micros=9_000_000_000) for flat in flats))
    estate.control.page = 7
    for _ in range(3):
        project()
        estate.decide()
    return flats


def cut_of(flats: list[str], estate: Estate) -> set[str]:
    return {flat for flat in flats if estate.relay(flat).desired == "open"}


def test_a_mistyped_tariff_ends_in_a_held_batch_not_in_a_dark_building(
    dark_building: list[str], story: Story, estate: Estate, project: Project, finance: Connection[object]
) -> None:
    assert cut_of(dark_building, estate) == set()
    with Ledger(url=story.url) as ledger:
        assert held_cuts(ledger, site="riverside").held == set(dark_building)
    project()
    (item,) = worklist.items(finance, kind=worklist.HELD_BATCH)
    assert item.subject == "riverside"


def test_a_released_batch_is_cut_and_each_cut_is_justified(
    dark_building: list[str], story: Story, estate: Estate, project: Project, finance: Connection[object]
) -> None:
    story.tell(topped_up(account="of-flat-3", amount_micros=10_000_000_000))
    with Ledger(url=story.url) as ledger:
        release_cuts(ledger, site="riverside", reason="looked-at", operator="ana", now=estate.now)
    for _ in range(2):
        estate.later(timedelta(seconds=2))
        project()
        estate.decide()
    assert cut_of(dark_building, estate) == set(dark_building) - {"flat-3"}
    project()
    assert worklist.items(finance, kind=worklist.HELD_BATCH) == []
    assert all(justified(finance, supply=flat).holds for flat in dark_building if flat != "flat-3")


def test_a_dismissed_batch_is_spared_for_as_long_as_was_said(
    dark_building: list[str], story: Story, estate: Estate, project: Project
) -> None:
    with Ledger(url=story.url) as ledger:
        dismiss_cuts(ledger, site="riverside", reason="wrong-tariff", operator="ana", now=estate.now)
    estate.later(23 * HOUR)
    project()
    estate.decide()
    assert cut_of(dark_building, estate) == set()
    estate.later(HOUR)
    project()
    estate.decide()
    with Ledger(url=story.url) as ledger:
        assert held_cuts(ledger, site="riverside").held == set(dark_building)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["release"], "released (position {}): "),
        (["dismiss", "--hours", "3"], "dismissed (position {}), spared for 3 h: "),
    ],
)
def test_the_command_tells_whose_cuts_were_decided_on(
    dark_building: list[str], story: Story, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", story.url)
    decide = ["relays", "held-batch", words[0], "riverside", "--reason", "looked-at", *words[1:]]
    output = CliRunner().invoke(make_app(), decide).output
    with Ledger(url=story.url) as ledger:
        version = ledger.folded(cuts_stream("riverside"), lambda count, _: count + 1, 0)[1]
        position = ledger.position_of(cuts_stream("riverside"), version)
        assert held_cuts(ledger, site="riverside").held == set()
        with pytest.raises(NotFound, match="no decision on held cuts stands at position 1;"):
            cuts_decided(ledger, position=1)
    assert output == f"riverside: {told.format(position)}{', '.join(sorted(dark_building))}\n"


@pytest.mark.parametrize("are_read_back", [False, True])
def test_closings_of_many_are_staggered(
    dark_building: list[str], story: Story, estate: Estate, project: Project, are_read_back: bool
) -> None:
    with Ledger(url=story.url) as ledger:
        release_cuts(ledger, site="riverside", reason="looked-at", operator="ana", now=estate.now)
    estate.later(timedelta(seconds=2))
    project()
    estate.decide()
    if are_read_back:
        orders = [estate.order(flat) for flat in dark_building]
        story.tell(*(concluded(order, "confirmed", at=estate.now) for order in orders))
    story.tell(*(topped_up(account=f"of-{flat}", amount_micros=10_000_000_000) for flat in dark_building))
    still_off = []
    for _ in range(5):
        project()
        estate.later(timedelta(seconds=2))
        estate.decide()
        still_off.append(len(cut_of(dark_building, estate)))
    assert still_off == [15, 10, 5, 0, 0]


@pytest.mark.parametrize("mode", ["automatic", "confirm"])
def test_a_supply_forced_on_is_not_cut_until_its_time_is_over(
    flat: Story, estate: Estate, project: Project, mode: Reconnection
) -> None:
    flat.tell(settings_changed(reconnection=mode), rules_set(rules()))
    with Ledger(url=flat.url) as ledger:
        force_on(ledger, supply="flat-1", reason="doctor", operator="ana", until=estate.now + HOUR, now=estate.now)
    estate.history("flat-1")
    assert decide_on(flat, estate, project, used(9_000_000, estate=estate)) == ["forced-on", "low-balance-warned"]
    estate.later(HOUR)
    assert decide_on(flat, estate, project)[2:] == CUT


def test_a_lock_with_an_end_is_cleared_then(flat: Story, estate: Estate, project: Project) -> None:
    flat.tell(rules_set(rules()))
    with Ledger(url=flat.url) as ledger:
        set_lock(
            ledger, supply="flat-1", reason="works", operator="ana", cause="safety",
            until=estate.now + HOUR, now=estate.now,
        )  # fmt: skip
    estate.history("flat-1")
    assert decide_on(flat, estate, project) == ["lock-set safety", "order-issued open"]
    estate.later(HOUR)
    assert decide_on(flat, estate, project)[2:] == ["lock-cleared safety", "order-issued close"]


def test_a_relay_that_does_not_confirm_is_escalated_and_taken_off_when_it_does(
    flat: Story, estate: Estate, project: Project, finance: Connection[object]
) -> None:
    flat.tell(rules_set(rules()))
    decide_on(flat, estate, project, used(9_000_000, estate=estate))
    for tries in (1, 2, 3):
        project()
        waiting = [item.subject for item in worklist.items(finance, kind=worklist.RELAY_UNCONFIRMED)]
        assert waiting == (["flat-1"] if tries == 3 else [])
        assert estate.order("flat-1").attempt == tries
        if tries < 3:
            flat.tell(concluded(estate.order("flat-1"), "failed", at=estate.now))
            estate.later(MINUTE)
            decide_on(flat, estate, project)
    flat.tell(concluded(estate.order("flat-1"), "confirmed", at=estate.now))
    project()
    assert worklist.items(finance, kind=worklist.RELAY_UNCONFIRMED) == []


def test_every_order_is_justified_from_the_ledger_alone_and_a_wrong_figure_is_told(
    flat: Story, estate: Estate, project: Project, finance: Connection[object]
) -> None:
    flat.tell(rules_set(rules(warning_lead_s=60, least_on_s=0, reading_age_s=3600)))
    decide_on(flat, estate, project, used(9_000_000, estate=estate))
    estate.later(MINUTE)
    decide_on(flat, estate, project)
    flat.tell(concluded(estate.order("flat-1"), "confirmed", at=estate.now))
    decide_on(flat, estate, project, topped_up(account="anna", amount_micros=3_000_000))
    project()
    orders = orders_of(finance, supply="flat-1")
    assert [order.action for order in orders] == ["open", "close"]
    for order in orders:
        assert justified(finance, supply="flat-1", sequence=order.sequence).differences == ()
