"""Ledger, tokens and registers after random loss and late entry: what was sold was used, is left, or was lost."""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from console.tokens.issued import Token
from console.tokens.reconciling import Reconciled, reconciled
from ledger.store.token_registers import TokenRegister, keep_registers
from ledger.usecases.supply_life import change_multiplier
from ledger.usecases.tokens.reading import read_register
from tests.ledger.builders import MOVED_IN
from tests.tokens.conftest import BLOCKS, DAY, SECRETS, STANDING, Room
from tests.tokens.meter import TokenMeter

UNIT_MILLIWH = 100_000
OPENING_MILLIWH = 100_000_000
# By OpenPAYGO: how many counts further a meter looks, and how many back a token that adds may be.
FORWARD, BACK = 64, 16
STEPS = 40


@dataclass
class Life:
    """A household that loses tokens and types them in late, next to a plain model of what its meter should do."""

    room: Room
    dice: random.Random
    meter: TokenMeter = field(default_factory=lambda: TokenMeter(SECRETS))
    drawer: list[Token] = field(default_factory=list)
    entered: list[Token] = field(default_factory=list)
    issued: list[Token] = field(default_factory=list)
    newest: int = 1
    used_up: set[int] = field(default_factory=set)
    paid_micros: int = 0
    days: float = 0.1

    def step(self, number: int) -> None:
        self.days += self.dice.choice([0.0, 0.01, 0.4, 3.0])
        match self.dice.choice(["pay", "issue", "issue", "enter", "enter", "use", "lose", "sync"]):
            case "pay":
                amount = self.dice.randrange(1, 400) * 10_000 + 5_000_000
                self.room.pay(amount)
                self.paid_micros += amount
            case "issue":
                self._issue(f"k{number}")
            case "enter" if self.drawer:
                self._enter(self.drawer.pop(self.dice.randrange(len(self.drawer))))
            case "use":
                self.meter.use(self.dice.randrange(0, 30))
            case "lose" if self.drawer:
                self.drawer.pop(self.dice.randrange(len(self.drawer)))
            case "sync" if self.dice.random() < 0.2:
                self._sync(f"s{number}")

    def _issue(self, key: str) -> None:
        standing = self.room.balance_micros
        if standing > 4_000_000:
            token = self.room.issue(key, self.dice.choice([500_000, 1_250_000]), days=self.days)
            self.issued.append(token)
            self.drawer.append(token)

    def _enter(self, token: Token) -> None:
        is_new = self.newest < token.count <= self.newest + FORWARD
        is_late = self.newest - BACK < token.count <= self.newest and token.count not in self.used_up
        told = self.meter.enter(token.digits)
        assert (told == "added") == (is_new or is_late), (told, token.count, self.newest)
        if told == "added":
            self.entered.append(token)
            self.newest = max(self.newest, token.count)
            self.used_up.add(token.count)
        assert self.meter.enter(token.digits) != "added"

    def _sync(self, key: str) -> None:
        token = self.room.tell(key, "counter-sync", days=self.days)
        assert self.meter.enter(token.digits) == "synced"
        self.newest = token.count
        self.used_up |= set(range(token.count + 1))

    def read(self) -> None:
        """Tell the register, as a collector or a person would."""
        at = MOVED_IN + self.days * DAY + timedelta(seconds=1)
        register = OPENING_MILLIWH + self.meter.used * UNIT_MILLIWH
        with psycopg.connect(self.room.database.url("wattledger_writer")) as connection:
            keep_registers(connection.cursor(), [TokenRegister("room-1", at, register)])


@pytest.mark.parametrize("tariff", [BLOCKS.replace("[[taxes]]", STANDING + "\n[[taxes]]")])
@pytest.mark.parametrize("seed", range(4))
def test_ledger_tokens_and_register_reconcile_after_loss_and_late_entry(room: Room, seed: int) -> None:
    life = Life(room, random.Random(seed))
    for number in range(STEPS):
        life.step(number)
    life.read()
    assert life.issued
    one = row(room)
    sold = sum(token.units for token in life.issued)
    assert one.tokens == len(life.issued)
    assert one.vended_milliwh == sold * UNIT_MILLIWH == sum(token.energy_milliwh for token in life.issued)
    # Whatever was typed in is in the meter, or went through its register; the rest was lost, or waits in a drawer.
    assert life.meter.credit + life.meter.used == sum(token.units for token in life.entered)
    assert one.used_milliwh == life.meter.used * UNIT_MILLIWH
    outside = sold - sum(token.units for token in life.entered)
    assert one.left_milliwh == (life.meter.credit + outside) * UNIT_MILLIWH
    assert not one.is_wrong
    days = sum(fact["amount_micros"] for fact in room.facts("meter.time-charge-debited/1"))
    charged = sum(token.amount_micros for token in life.issued) + days
    assert room.balance_micros == life.paid_micros - charged


def row(room: Room) -> Reconciled:
    with psycopg.connect(room.database.url("wattledger_finance"), autocommit=True) as connection:
        (one,) = reconciled(connection, now=MOVED_IN + 999 * DAY)
    return one


def test_a_meter_that_used_more_than_it_was_sold_is_wrong(room: Room) -> None:
    room.pay(10_000_000)
    token = room.issue("k1", 2_000_000)
    assert (row(room).used_milliwh, row(room).is_wrong) == (None, False)
    for beyond, is_wrong in ((0, False), (1, False), (2, True)):
        register = OPENING_MILLIWH + (token.units + beyond) * UNIT_MILLIWH
        at = MOVED_IN + (1 + beyond) * DAY
        with psycopg.connect(room.database.url("wattledger_writer")) as connection:
            keep_registers(connection.cursor(), [TokenRegister("room-1", at, register)])
        assert row(room).is_wrong is is_wrong
    assert row(room).left_milliwh == -2 * UNIT_MILLIWH


def test_a_clock_that_is_ahead_hides_no_later_reading(room: Room) -> None:
    ahead = TokenRegister("room-1", MOVED_IN + 36_500 * DAY, OPENING_MILLIWH)
    used = TokenRegister("room-1", MOVED_IN + DAY, OPENING_MILLIWH + 9 * UNIT_MILLIWH)
    with psycopg.connect(room.database.url("wattledger_writer")) as connection:
        keep_registers(connection.cursor(), [ahead, used])
    assert (row(room).used_milliwh, row(room).is_wrong) == (9 * UNIT_MILLIWH, True)


def test_a_register_read_before_the_multiplier_changed_is_compared_as_it_was(room: Room) -> None:
    room.pay(10_000_000)
    room.issue("k1", 2_000_000)
    with psycopg.connect(room.database.url("wattledger_writer")) as connection:
        keep_registers(
            connection.cursor(), [TokenRegister("room-1", MOVED_IN + DAY / 2, OPENING_MILLIWH + UNIT_MILLIWH)]
        )
    at = MOVED_IN + DAY
    change_multiplier(
        room.ledger, supply="room-1", multiplier="2", at=at, register_milliwh=OPENING_MILLIWH + UNIT_MILLIWH, now=at
    )
    assert (row(room).used_milliwh, row(room).is_wrong) == (UNIT_MILLIWH, False)
    told = read_register(
        room.ledger, supply="room-1", register_milliwh=OPENING_MILLIWH, at=at - DAY / 4, now=at + DAY
    )
    assert told.register_milliwh == OPENING_MILLIWH


@pytest.mark.parametrize(("amount", "units"), [("0.07", 1), ("0.139", 1), ("0.14", 2), ("7.00", 100), ("33.33", 478)])
def test_an_amount_buys_the_most_whole_units_that_it_pays_for(room: Room, amount: str, units: int) -> None:
    room.pay(50_000_000)
    asked = int(Decimal(amount) * 1_000_000)
    token = room.issue("k", asked)
    unit_micros = Decimal("0.1") * Decimal("0.617") * Decimal("1.13") * 1_000_000
    assert token.units == units == int(asked / unit_micros)
    assert token.amount_micros <= asked
