"""Random lives of a supply point against a plain model: every watt-hour is billed, once, to who used it.

Moves told only at the end, when all is billed already, must leave what moves told at once leave (design I4).
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.builders import milliwh
from tests.ledger.life import Life, life

BLOCKS = """
code = "flat"
currency = "CNY"
time_zone = "Asia/Shanghai"
billing_period = "month"
prices = "tax-exclusive"
tax_point = "supply"
[[charges]]
component = "energy"
kind = "blocks"
[[charges.blocks]]
up_to_kwh = "3"
price_per_kwh = "0.517"
[[charges.blocks]]
price_per_kwh = "1.313"
[[taxes]]
component = "vat"
percent = "13"
on = ["energy"]
"""

Kind = Literal["read", "pass", "move", "exchange", "multiply"]


@dataclass(frozen=True, slots=True)
class Step:
    """So many minutes at a load, then something happens; a move's register is read, or is not."""

    kind: Kind
    minutes: int
    load: Fraction
    is_read: bool
    multiplier: str


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(["read", "read", "pass", "move", "move", "exchange", "multiply"]),
        st.integers(1, 3_000),
        st.sampled_from([Fraction(0), Fraction(1, 7), Fraction(1, 2), Fraction(9, 10)]),
        st.booleans(),
        st.sampled_from(["1", "2", "40", "7/4"]),
    ),
    min_size=1,
    max_size=14,
)


@dataclass(slots=True)
class Told:
    """A life, told what happens at once, or of moves only in the end; and what was used, by occupant."""

    home: Life
    is_late: bool
    at: int = 0
    shown_milliwh: int = 100_000_000
    multiplier: Fraction = Fraction(1)
    occupant: str = "room-1-a"
    numbers: int = 0
    used: Counter[str] = field(default_factory=Counter)
    spell_from: int = 100_000_000
    moves: list[tuple[str, int, Decimal | None]] = field(default_factory=list)

    def live(self, step: Step) -> None:
        self.at += step.minutes
        before = self._counted()
        self.shown_milliwh += int(step.load * 10_000_000 * Fraction(step.minutes, 60))
        self.used[self.occupant] += self._counted() - before
        match step.kind:
            case "read":
                self.home.reads(self.kwh, at=self.at)
            case "move":
                self._move(step)
            case "exchange":
                self.numbers += 1
                multiplier = self.home.supply.spells[-1].multiplier
                self.home.removes(at=self.at, closing=self.kwh)
                self.shown_milliwh = 5_000_000
                self.home.installs(
                    at=self.at, opening=self.kwh, serial=f"meter-{self.numbers}", multiplier=str(multiplier)
                )
            case "multiply":
                self.home.multiplies(step.multiplier, at=self.at, register=self.kwh)
                self.multiplier = Fraction(step.multiplier)

    def _move(self, step: Step) -> None:
        self.numbers += 1
        self.occupant = f"tenant-{self.numbers}"
        move = (self.occupant, self.at, self.kwh if step.is_read else None)
        if self.is_late:
            self.moves.append(move)
        else:
            self._tell(move)

    def _tell(self, move: tuple[str, int, Decimal | None]) -> None:
        account, at, register = move
        self.home.moves_in(account, at=at, register=register)

    def end(self) -> None:
        """Read once more; then tell what was not told yet, and read again."""
        self.live(Step("read", 30, Fraction(1, 2), True, "1"))
        for move in self.moves:
            self._tell(move)
        self.live(Step("read", 30, Fraction(1, 2), True, "1"))

    def _counted(self) -> int:
        return floor(self.multiplier * self.shown_milliwh)

    @property
    def kwh(self) -> Decimal:
        return Decimal(self.shown_milliwh).scaleb(-6)


def lived(said: list[Step], *, is_late: bool) -> Told:
    told = Told(life(text=BLOCKS), is_late)
    for step in said:
        told.live(step)
    told.end()
    return told


@given(steps)
@settings(max_examples=150, deadline=None)
def test_every_watt_hour_is_billed_once_and_moves_told_late_are_booked_as_if_known(said: list[Step]) -> None:
    known, late = lived(said, is_late=False), lived(said, is_late=True)
    for told in (known, late):
        assert sum(map(milliwh, told.home.kwh.values())) == sum(told.used.values())
        assert told.home.holds == []
    assert known.home.kwh == late.home.kwh
    assert known.home.charged == late.home.charged
    one, other = known.home.metering.state, late.home.metering.state
    assert (one.account, one.counters, one.former) == (other.account, other.counters, other.former)
    ends = [[fact.account for fact in told.home.closed] for told in (known, late)]
    assert ends[0] == ends[1]


@given(steps, st.booleans())
@settings(max_examples=100, deadline=None)
def test_with_every_register_read_each_occupant_is_billed_exactly_what_they_used(
    said: list[Step], is_late: bool
) -> None:
    read = [Step(step.kind, step.minutes, step.load, True, step.multiplier) for step in said]
    told = lived(read, is_late=is_late)
    used = {account: Decimal(total).scaleb(-6) for account, total in told.used.items() if total}
    assert told.home.kwh == used


@given(steps, st.booleans())
@settings(max_examples=60, deadline=None)
def test_counters_folded_from_the_evidence_are_those_that_are_kept(said: list[Step], is_late: bool) -> None:
    home = lived(said, is_late=is_late).home
    derived = home.history.counters(home.snapshot.prices_of(home.supply))
    state = home.metering.state
    assert derived.get(state.occupancy, state.counters) == state.counters
    for former in state.former:
        assert derived.get(former.occupancy, former.counters) == former.counters
