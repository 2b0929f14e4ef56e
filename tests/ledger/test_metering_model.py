"""Whatever a meter says, in whatever order: what is billed is what was used (I8), and no reading is lost (I9).

One test knows the truth by construction: a household uses energy and has its meter tell it, with wrong readings
thrown in. The other throws anything at all at a meter and holds what came of it against what physics allows.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.domain.judging import allowance_milliwh
from tests.ledger.builders import (
    MODULUS_KWH,
    MOVED_IN,
    Household,
    assigned,
    household,
    installed,
    milliwh,
    minutes,
    occupied,
)

MODULUS_MILLIWH = milliwh(MODULUS_KWH)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a meter says: `load` is the share of its full power, `size` scales what is wrong with it."""

    kind: str
    after_min: int
    load: Fraction
    size: int


GOOD = ("used", "used", "used", "idle", "used-an-hour-unread")
BAD = ("again", "older", "fell", "leapt", "future", "display", "conflict")
steps = st.builds(
    Step,
    kind=st.sampled_from(GOOD + BAD),
    after_min=st.integers(1, 60),
    load=st.fractions(Fraction(1, 1000), Fraction(9, 10), max_denominator=1000),
    size=st.integers(1, 1000),
)


class Truth:
    """A household whose true usage is known."""

    def __init__(self, home: Household, opening_milliwh: int) -> None:
        self.home = home
        self.at = 0
        self.register_milliwh = opening_milliwh
        self.used_milliwh = 0
        self.told_at = 0
        self.told_milliwh = 0
        self._say(opening_milliwh, 0)

    def take(self, step: Step) -> None:
        before = self.home.metering.superseded
        if step.kind in GOOD:
            self._good(step)
        elif step.kind == "again":
            self._say(self.register_milliwh, self.told_at)
            assert self.home.metering.superseded == before + 1
        elif step.kind == "older":
            self._say(step.size * 1_000, self.told_at - step.after_min)
            assert self.home.metering.superseded == before + 1
        else:
            self._bad(step)
        assert self.billed_milliwh == self.told_milliwh

    def _good(self, step: Step) -> None:
        length_min = 60 + step.after_min if step.kind == "used-an-hour-unread" else step.after_min
        self.at += length_min
        share = Fraction(0) if step.kind == "idle" else step.load
        used = int(share * 10_000 * 1_000 * Fraction(length_min, 60))
        self.used_milliwh += used
        self.register_milliwh = (self.register_milliwh + used) % MODULUS_MILLIWH
        self._say(self.register_milliwh, self.at)
        self.told_at, self.told_milliwh = self.at, self.used_milliwh

    def _bad(self, step: Step) -> None:
        self.at += 1
        at, published_at = self.at, self.at
        register = self.register_milliwh
        match step.kind:
            case "fell":
                register -= min(register, step.size * 1_000)
            case "leapt":
                register += 400_000_000 + step.size * 1_000_000
            case "future":
                at += 6 + step.size
            case "display":
                register = MODULUS_MILLIWH + step.size
            case _:
                at, register = self.told_at, register + step.size
        self._say(register, at, published_at)

    def _say(self, register_milliwh: int, at: int, published_at: int | None = None) -> None:
        self.home.reads_register(Decimal(register_milliwh).scaleb(-6), at=at, published_at=published_at)

    @property
    def billed_milliwh(self) -> int:
        return sum(debit.usage_milliwh for debit in self.home.debits)


@given(st.lists(steps, max_size=40))
@settings(max_examples=150)
def test_what_is_billed_is_what_was_used_whatever_else_the_meter_says(said: list[Step]) -> None:
    truth = Truth(household(), milliwh(100))
    for step in said:
        truth.take(step)


@given(st.lists(steps.filter(lambda step: step.kind not in ("fell", "leapt")), min_size=5, max_size=40))
@settings(max_examples=100)
def test_and_so_it_is_where_the_register_rolls_over(said: list[Step]) -> None:
    truth = Truth(household(opening_kwh=MODULUS_KWH - 5), MODULUS_MILLIWH - milliwh(5))
    for step in said:
        truth.take(step)


@given(st.lists(steps.filter(lambda step: step.kind in GOOD), min_size=2, max_size=20), st.data())
@settings(max_examples=60)
def test_and_so_it_is_where_occupant_and_tariff_come_later(said: list[Step], data: st.DataObject) -> None:
    home = household(occupied_at=None, terms_from=None)
    truth = Truth(home, milliwh(100))
    occupant_at = data.draw(st.integers(0, len(said) - 1))
    terms_at = data.draw(st.integers(occupant_at, len(said) - 1))
    for number, step in enumerate(said):
        if number == occupant_at:
            home.snapshot.apply(occupied())
        if number == terms_at:
            home.snapshot.apply(assigned())
        truth._good(step)
    held_alone = home.metering.state.account == "" or home.metering.state.register_milliwh != truth.register_milliwh
    assert truth.billed_milliwh == (0 if held_alone else truth.used_milliwh)
    assert truth.billed_milliwh in (0, truth.used_milliwh)


@dataclass(frozen=True, slots=True)
class Said:
    """Anything a meter may say: where its register stands, when, and when that was published."""

    register_milliwh: int
    at: int
    published_at: int


registers = (
    st.integers(-(10**7), 10**9)
    | st.integers(milliwh(100), milliwh(110))
    | st.integers(MODULUS_MILLIWH - 10**8, MODULUS_MILLIWH + 10**7)
    | st.integers(-(2**63), 2**63 - 1)
)
anything = st.lists(st.builds(Said, registers, st.integers(-100, 20_000), st.integers(0, 20_000)), max_size=40)


# A meter that stays wrong says the same few things again and again.
a_few_registers = st.sampled_from([milliwh(kwh) for kwh in (99, 100, 101, 105, 120, 160, 400)])
stubborn = st.lists(
    st.builds(lambda register, at: Said(register, at, at), a_few_registers, st.integers(1, 20_000)),
    min_size=3,
    max_size=8,
)


@given(anything, st.sampled_from([milliwh(100), MODULUS_MILLIWH - milliwh(20)]), st.booleans())
@settings(max_examples=300)
def test_whatever_a_meter_says_no_debit_is_beyond_physics_and_no_reading_is_lost(
    said: list[Said], opening_milliwh: int, is_sorted: bool
) -> None:
    _check_all(sorted(said, key=lambda reading: reading.at) if is_sorted else said, opening_milliwh)


@given(stubborn)
@settings(max_examples=400)
def test_a_register_once_refused_as_a_leap_is_never_money_while_no_other_was(said: list[Said]) -> None:
    _check_all(sorted(said, key=lambda reading: reading.at), milliwh(100))


def _check_all(said: list[Said], opening_milliwh: int) -> None:
    opening_kwh = Decimal(opening_milliwh).scaleb(-6)
    home = household(opening_kwh=opening_kwh)
    refused: set[int] = set()
    for reading in said:
        debits, before = len(home.debits), _outcomes(home)
        home.reads_register(
            Decimal(reading.register_milliwh).scaleb(-6), at=reading.at, published_at=reading.published_at
        )
        after = _outcomes(home)
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1
        if len(home.debits) > debits:
            assert reading.register_milliwh not in refused
            refused.clear()
        elif before[:2] != after[:2] and _is_a_leap(home, reading):
            refused.add(reading.register_milliwh)
    _check_physics(home, opening_milliwh)
    _check_episodes(home)


def _outcomes(home: Household) -> tuple[object, ...]:
    """What a reading may lead to: an event, a count, or a later time of having been seen."""
    metering = home.metering
    return len(home.facts), metering.held, metering.superseded, metering.seen_at


def _is_a_leap(home: Household, reading: Said) -> bool:
    """Tell whether a reading was refused for claiming too much; one refused for its time may be right at another."""
    state, seen_at = home.metering.state, home.metering.seen_at
    since = max([at for at in (state.billed_to, seen_at) if at is not None], default=MOVED_IN)
    claimed = reading.register_milliwh - (state.register_milliwh or 0)
    is_timely = minutes(reading.at) > since and reading.at <= reading.published_at + 5
    is_shown = 0 <= reading.register_milliwh < MODULUS_MILLIWH
    return is_timely and is_shown and claimed > allowance_milliwh(installed(), minutes(reading.at) - since)


def _check_physics(home: Household, opening_milliwh: int) -> None:
    register, told_at = opening_milliwh, MOVED_IN
    for debit in home.debits:
        assert debit.opening_milliwh == register
        assert debit.started_at >= told_at
        assert debit.closing_milliwh == (register + debit.usage_milliwh) % MODULUS_MILLIWH
        assert 0 < debit.usage_milliwh <= allowance_milliwh(installed(), debit.ended_at - debit.started_at)
        assert debit.ended_at <= debit.source.published_at + timedelta(minutes=5)
        register, told_at = debit.closing_milliwh, debit.ended_at
    assert told_at <= minutes(20_000)


def _check_episodes(home: Household) -> None:
    """What is recorded of a run gets worse: nobody to pay, then one reading that is bad, then leaps ever lesser."""
    gravity = {"unoccupied": 0, "leap": 2}
    grave = [gravity.get(hold.reason, 1) for hold in home.holds]
    assert grave == sorted(grave)
    assert grave.count(0) <= 1
    assert grave.count(1) <= 1
