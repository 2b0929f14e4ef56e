"""Issues tokens: one transaction charges the days that are due and the energy, and counts the token on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from ledger.domain.event import Event, Fact
from ledger.domain.meter import state_of
from ledger.domain.metering import Draft, Metering
from ledger.domain.snapshot import PricingSnapshot
from ledger.domain.supply import Supply
from ledger.domain.token_billing import MOST_UNITS
from ledger.domain.vend import Vend, Vending
from ledger.domain.vending import TokenKind
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.store.log import head_of, newest_of
from ledger.store.recorder import Guard
from ledger.store.standing import Moved, check_unmoved
from ledger.usecases.accounts import account_of
from ledger.usecases.attempt import Booked, appended_deciding, checked_key
from ledger.usecases.codes import checked_code
from ledger.usecases.money.attempt import checked_amount
from ledger.usecases.money.receipts import MAX_MICROS
from ledger.usecases.supply_life import known_supply
from ledger.values.errors import InvalidValue, Refused
from ledger.values.identity import meter_stream, supply_stream, tariff_stream
from ledger.values.money import text_from_micros

_CONTROL_HEAD = "SELECT control_head FROM ledger.gate"


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a token is decided on: the supply point, its prices and its meter stream, at a control change."""

    supply: Supply
    snapshot: PricingSnapshot
    metering: Metering
    control_head: int

    def check(self, cursor: Cursor[TupleRow]) -> None:
        """Raise Moved, inside the gate, where a supply point or a tariff has changed since."""
        row = cursor.execute(_CONTROL_HEAD).fetchone()
        if row is None or row[0] != self.control_head:
            raise Moved("supply points or tariffs changed meanwhile")


def issue_token(
    ledger: Ledger, *, supply: str, amount_micros: int | None, operator: str, key: str, now: datetime
) -> Booked:
    """Issue a token that adds energy for an amount, once per key; all of the balance where no amount is given.

    Time charges of the days that are over are posted first. What buys no whole unit stays on the balance. Returns
    where the EnergyVended stands. Raises NotFound for an unknown supply point, Refused where it is not billed by
    token, nobody occupies it, the balance is less than the amount, or too little for a unit.
    """
    checked_code(operator, what="operator")
    if amount_micros is not None:
        checked_amount(amount_micros, what="amount", most_micros=MAX_MICROS)
    amount = "all" if amount_micros is None else str(amount_micros)
    content = {"supply": supply, "amount_micros": amount, "operator": operator}

    def decide() -> tuple[Sequence[Event], Guard]:
        ground = _ground(ledger, supply)
        occupancy = ground.supply.occupancy_at(now)
        if occupancy is None:
            raise Refused(f"nobody occupies {supply!r}; move somebody in first: wattledger supply occupy")
        account = account_of(ledger, occupancy.account)
        if account.is_closed:
            raise Refused(f"account {account.code!r} is closed; nothing is sold to it")
        standing = ledger.standing([account.code])
        draft = Draft(ground.snapshot, now)
        vend = Vend(draft, ground.metering, ground.supply, now=now)
        due_micros = vend.bring_up()
        left_micros = standing.balance_micros(account.code) - due_micros
        _check_left(account.code, left_micros, due_micros, amount_micros)
        vend.add(left_micros if amount_micros is None else amount_micros, _by(operator, key))

        def guard(cursor: Cursor[TupleRow]) -> None:
            ground.check(cursor)
            check_unmoved(cursor, standing, [account.code])

        return draft.events, guard

    return appended_deciding(ledger, decide, command=Command(f"token/{checked_key(key)}", content))


def tell_meter(
    ledger: Ledger,
    *,
    supply: str,
    kind: TokenKind,
    units: int,
    reason: str,
    operator: str,
    key: str,
    now: datetime,
) -> Booked:
    """Issue a token that moves no money, once per key: set the meter's credit, unlock it, or sync its counter.

    Every token that adds and was not entered is void for the meter then. Raises InvalidValue for units that the kind
    cannot say, Refused where the supply point is not billed by token, or its meter's digits have no such token.
    """
    checked_code(operator, what="operator")
    checked_code(reason, what="reason")
    _check_kind(kind, units)
    content = {"supply": supply, "kind": kind, "units": str(units), "reason": reason, "operator": operator}

    def decide() -> tuple[Sequence[Event], Guard]:
        ground = _ground(ledger, supply)
        size = ground.supply.tokens.size if ground.supply.tokens is not None else "standard"
        if units > MOST_UNITS[size]:
            raise InvalidValue(f"{units} units are more than the {MOST_UNITS[size]} that a {size} token can say")
        if size == "extended" and kind != "set":
            # The decoder takes them for "set to 998" and "set to 999" (openpaygo 0.6.3).
            raise Refused(f"meters with extended tokens have none for {kind!r}; set its credit instead")
        draft = Draft(ground.snapshot, now)
        Vend(draft, ground.metering, ground.supply, now=now).tell(kind, units, reason, _by(operator, key))
        return draft.events, ground.check

    return appended_deciding(ledger, decide, command=Command(f"meter-token/{checked_key(key)}", content))


def _check_kind(kind: str, units: int) -> None:
    if kind not in get_args(TokenKind):
        raise InvalidValue(f"{kind!r} is no kind of token; use {', '.join(get_args(TokenKind))}")
    if units < 0 or (units and kind != "set"):
        raise InvalidValue(f"a {kind!r} token of {units} units says nothing; give units to set, from 0 on")


def _check_left(account: str, left_micros: int, due_micros: int, amount_micros: int | None) -> None:
    due = f" after {text_from_micros(due_micros)} for the days that are over" if due_micros else ""
    if left_micros <= 0:
        raise Refused(f"account {account!r} has {text_from_micros(left_micros)}{due}; top it up first")
    if amount_micros is not None and amount_micros > left_micros:
        raise Refused(
            f"account {account!r} has {text_from_micros(left_micros)}{due}, less than"
            f" {text_from_micros(amount_micros)}; top it up first, or ask for less"
        )


def _by(operator: str, key: str) -> Vending:
    return Vending(operator=operator, key_hash=hashlib.sha256(key.encode()).hexdigest())


def _ground(ledger: Ledger, code: str) -> _Ground:
    """Read all that a token depends on; the control change first, so that what comes later is noticed."""
    with ledger.datastore.get_connection() as connection:
        _, control_head = head_of(connection)
    snapshot = PricingSnapshot()
    _take_in(ledger, snapshot, supply_stream(code))
    state = known_supply(snapshot.supplies.get(code), code)
    if state.tokens is None:
        raise Refused(f"supply point {code!r} is billed by readings, not by token; see wattledger tokens set-up")
    if state.meter is None:
        raise Refused(f"supply point {code!r} has no meter that could take a token; its meter was removed")
    for tariff in {row.tariff for row in state.terms}:
        _take_in(ledger, snapshot, tariff_stream(tariff))
    stream = meter_stream(code)
    with ledger.datastore.get_connection() as connection:
        newest = newest_of(connection, streams=[stream]).get(stream)
    metering = Metering() if newest is None else Metering(state_of(newest.fact), newest.version)
    return _Ground(state, snapshot, metering, control_head)


def _take_in(ledger: Ledger, snapshot: PricingSnapshot, stream: UUID) -> None:
    nothing: tuple[Fact, ...] = ()
    for fact in ledger.folded(stream, lambda facts, fact: (*facts, fact), nothing)[0]:
        snapshot.apply(fact)
