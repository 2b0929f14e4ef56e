"""The demo's script: tells what changes from one look to the next, and plays the consumer who tops up."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

from console.demo.estate import (
    CARD_BELOW_MICROS,
    CARD_MICROS,
    CARD_ROOM,
    CURRENCY,
    EMERGENCY_MICROS,
    ONLINE_ROOM,
    PROTECTED,
    Room,
    friendly_hours,
)
from console.demo.observer import Sight
from console.demo.screen import Story
from ledger.values.money import MICROS_PER_UNIT, decimal_from_micros
from projections.queries import Balance, RelayState

# How long a room sits in the dark before its consumer walks to the kiosk, and what they pay in there.
DARK_FOR = timedelta(seconds=3)
TOP_UP_MICROS = 40 * MICROS_PER_UNIT
# When somebody who has enough left pays online.
ONLINE_AFTER = timedelta(seconds=4)
ONLINE_MICROS = 25 * MICROS_PER_UNIT


class Paying(Protocol):
    """How consumers pay in: an account, an amount in micro-units, and a key under which it is paid once."""

    def at_kiosk(self, account: str, amount_micros: int, key: str) -> str:
        """Pay in with consent to be switched on; return what it went to."""
        ...

    def online(self, account: str, amount_micros: int, key: str) -> None:
        """Pay with a provider, who tells of it."""
        ...


class Script:
    """Follows the looks in order, and pays in what its consumers pay."""

    def __init__(self, *, rooms: list[Room], story: Story, paying: Paying, tell: Callable[[str], None]) -> None:
        self._rooms = rooms
        self._story = story
        self._paying = paying
        self._tell = tell
        self._balances: dict[str, Balance] = {}
        self._relays: dict[str, RelayState] = {}
        self._dark_since: dict[str, datetime] = {}
        self._is_protection_told = False
        self._first_seen: datetime | None = None
        self._is_paid_online = False
        self._is_card_charged = False
        # By supply point, what its top-up went to.
        self._paid: dict[str, str] = {}

    @property
    def is_complete(self) -> bool:
        """Whether a room has gone dark and come back, none that was topped up is dark, and a card was charged."""
        relays = self._relays.values()
        return (
            self._is_card_charged
            and any(relay.reconnections for relay in relays)
            and all(relay.reconnections >= relay.disconnections or relay.supply not in self._paid for relay in relays)
        )

    def step(self, sight: Sight, *, now: datetime) -> None:
        """Tell what is new in this look, and top up what has been dark for long enough."""
        balances = {balance.account: balance for balance in sight.balances}
        relays = {relay.supply: relay for relay in sight.relays}
        for room in self._rooms:
            balance, relay = balances.get(room.account), relays.get(room.supply)
            if balance is None or relay is None:
                continue
            for text in self._news(room, balance, relay):
                self._tell(self._story.tell(text, now=now))
            self._top_up(room, relay, now=now)
            self._pay_online(room, now=now)
        self._balances, self._relays = balances, relays

    def _news(self, room: Room, balance: Balance, relay: RelayState) -> Iterator[str]:
        before = self._relays.get(room.supply)
        if before is None:
            return
        money = f"{balance.balance:.4f} {CURRENCY}"
        if relay.warned and not before.warned:
            yield f"{room.supply}: low balance, {money}: the consumer is warned"
        was = self._balances.get(room.account)
        if room.supply == PROTECTED:
            yield from self._protected(room, balance)
        elif was is not None and was.balance > 0 >= balance.balance and "credit" not in relay.locks:
            lent = f"{decimal_from_micros(EMERGENCY_MICROS):.2f} {CURRENCY}"
            yield f"{room.supply}: the credit is used up; emergency credit of {lent} keeps the lights on"
        if "credit" in relay.locks and "credit" not in before.locks:
            yield (
                f"{room.supply}: nothing left ({money}), emergency credit counted: order {relay.order_sequence} opens"
                f" the relay, outside the hours when nobody is cut ({_friendly()})"
            )
        if relay.disconnections > before.disconnections:
            yield f"{room.supply}: off, confirmed by reading the relay back"
        if balance.top_ups > (self._balances.get(room.account) or balance).top_ups:
            yield f"{room.supply}: {self._paid_in(room)}; the balance is {money}"
        if relay.reconnections > before.reconnections:
            yield f"{room.supply}: on again, confirmed by reading the relay back"

    def _paid_in(self, room: Room) -> str:
        went_to = self._paid.get(room.supply)
        if went_to is not None:
            paid = f"{decimal_from_micros(TOP_UP_MICROS):.2f} {CURRENCY}"
            return f'{paid} paid in at the kiosk ("appliances are off, switch on"), it went to {went_to}'
        if room.supply == ONLINE_ROOM and self._is_paid_online:
            paid = f"{decimal_from_micros(ONLINE_MICROS):.2f} {CURRENCY}"
            return f"{paid} paid online, told by the provider's signed webhook"
        if room.supply == CARD_ROOM:
            self._is_card_charged = True
            paid, below = (
                f"{decimal_from_micros(micros):.2f} {CURRENCY}" for micros in (CARD_MICROS, CARD_BELOW_MICROS)
            )
            return f"below {below} its card is charged by itself: {paid} paid in"
        return "topped up"

    def _protected(self, room: Room, balance: Balance) -> Iterator[str]:
        if balance.balance <= 0 and not self._is_protection_told:
            self._is_protection_told = True
            yield f"{room.supply}: nothing left, but protected (life support): it stays on, what it uses is owed"

    def _top_up(self, room: Room, relay: RelayState, *, now: datetime) -> None:
        if relay.actual != "open" or room.supply in self._paid:
            return
        since = self._dark_since.setdefault(room.supply, now)
        if now - since >= DARK_FOR:
            self._paid[room.supply] = self._paying.at_kiosk(room.account, TOP_UP_MICROS, f"top-up-{room.account}")

    def _pay_online(self, room: Room, *, now: datetime) -> None:
        if room.supply != ONLINE_ROOM or self._is_paid_online:
            return
        self._first_seen = self._first_seen or now
        if now - self._first_seen >= ONLINE_AFTER:
            self._is_paid_online = True
            self._paying.online(room.account, ONLINE_MICROS, f"paid-by-{room.account}")


def _friendly() -> str:
    hours = friendly_hours(datetime.now(UTC))
    return f"{hours.begin_minute // 60:02}:00 to {hours.end_minute // 60:02}:00 UTC"
