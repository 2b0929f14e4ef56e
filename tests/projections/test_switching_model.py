"""Credit and switching against a plain model: readings late, out of order, racing top-ups and changes of policy."""

import os
from datetime import timedelta

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.projections.switching_world import FLATS, RULES, World

flats = st.sampled_from(FLATS)
amounts = st.sampled_from([1, 900_000, 3_000_000, 9_000_000, 12_000_000])
minutes = st.sampled_from([0, 1, 4, 31, 119, 121, 300])
IS_LONG = os.environ.get("WATTLEDGER_HYPOTHESIS") == "long"


class Switching(RuleBasedStateMachine):
    """Every order that control issues is checked as it is issued, by the model and by taking its decision again."""

    @initialize()
    def begin(self) -> None:
        self.world = World()

    @rule(flat=flats, amount=amounts, late=minutes, over=minutes)
    def use(self, flat: str, amount: int, late: int, over: int) -> None:
        ended = self.world.now - timedelta(minutes=late)
        self.world.use(flat, amount, ended=ended, over=timedelta(minutes=over))

    @rule(flat=flats, amount=amounts)
    def correct(self, flat: str, amount: int) -> None:
        self.world.correct(flat, amount)

    @rule(flat=flats, amount=amounts, consent=st.booleans())
    def top_up(self, flat: str, amount: int, consent: bool) -> None:
        self.world.top_up(flat, amount, consent=consent)

    @rule(flat=flats)
    def consent(self, flat: str) -> None:
        self.world.consent(flat)

    @rule(flat=flats, cause=st.sampled_from(["operator", "maintenance", "safety"]), is_set=st.booleans())
    def lock(self, flat: str, cause: str, is_set: bool) -> None:
        self.world.lock(flat, cause, is_set=is_set)

    @rule(flat=flats, amount=amounts)
    def dispute(self, flat: str, amount: int) -> None:
        self.world.dispute(flat, amount)

    @rule(flat=flats)
    def resolve(self, flat: str) -> None:
        self.world.resolve(flat)

    @rule(flat=flats)
    def take_emergency(self, flat: str) -> None:
        self.world.take_emergency(flat)

    @rule(cut_at=st.sampled_from([0, -2_000_000, 1_000_000]), nights=st.booleans())
    def change_policy(self, cut_at: int, nights: bool) -> None:
        self.world.set_policy(cut_at=cut_at, nights=nights)

    @rule(mode=st.sampled_from(["automatic", "confirm", "arm"]))
    def change_mode(self, mode: str) -> None:
        self.world.set_mode(mode)

    @rule(passed=minutes, behind=st.integers(0, 6))
    def control(self, passed: int, behind: int) -> None:
        self.world.now += timedelta(minutes=passed)
        self.world.control(behind=behind)
        event(f"orders issued: {min(self.world.issued, 5)}")

    @rule(flat=flats, passed=st.sampled_from([31, 119]))
    def read_and_wait(self, flat: str, passed: int) -> None:
        """A day as it mostly is: some usage, a decision, time, a decision."""
        self.use(flat, 9_000_000, late=0, over=4)
        self.world.control()
        self.world.now += timedelta(minutes=passed)
        self.world.control()

    @rule(number=st.integers(0, 9), is_obeyed=st.booleans())
    def deliver(self, number: int, is_obeyed: bool) -> None:
        self.world.deliver(number, is_obeyed=is_obeyed)

    @invariant()
    def an_open_relay_was_ordered_open_last_as_far_as_the_edge_knows(self) -> None:
        if not hasattr(self, "world"):
            return
        for flat, is_open in self.world.relays_open.items():
            assert not is_open or flat in self.world.highest


Switching.TestCase.settings = settings(max_examples=2_000 if IS_LONG else 60, stateful_step_count=40, deadline=None)
TestSwitching = Switching.TestCase


def test_the_model_sees_orders_of_both_kinds() -> None:
    """A model that nothing ever happens in proves nothing."""
    world = World()
    world.use("flat-1", 12_000_000, ended=world.now, over=timedelta(minutes=5))
    world.control()
    world.now += timedelta(minutes=31)
    world.control()
    assert [order.action for order in world.on_the_way] == ["open"]
    world.deliver(0)
    assert world.relays_open["flat-1"]
    world.top_up("flat-1", 9_000_000, consent=True)
    world.control()
    assert [order.action for order in world.on_the_way] == ["close"]
    world.deliver(0)
    assert not world.relays_open["flat-1"]


def test_a_correction_keeps_its_grace_where_the_line_is_raised_over_what_was_used_before_it() -> None:
    world = World()
    world.use("flat-3", 9_000_000, ended=world.now, over=timedelta(minutes=4))
    world.control()
    world.now += timedelta(minutes=31)
    world.control()
    world.correct("flat-3", 3_000_000)
    world.set_policy(cut_at=1_000_000, nights=False)
    world.control()
    assert world.on_the_way == []


def test_a_line_raised_over_a_household_gives_it_time_once() -> None:
    world = World()
    world.use("flat-3", 9_500_000, ended=world.now, over=timedelta(minutes=4))
    world.control()
    world.now += timedelta(minutes=31)
    world.set_policy(cut_at=1_000_000, nights=False)
    world.control()
    assert world.on_the_way == []
    world.now += timedelta(seconds=RULES.grace_s)
    world.use("flat-3", 1, ended=world.now, over=timedelta(minutes=4))
    world.control()
    assert [order.action for order in world.on_the_way] == ["open"]
