"""A control as it runs in its process, but turn by turn and on a clock of the test's."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from ledger.domain.event import Fact
from ledger.domain.relay import OrderIssued, Relay, evolve
from ledger.store.application import Ledger
from ledger.values.identity import relay_stream
from ledger.values.signing import OrderSigner, OrderVerifier
from projections.control import Control
from projections.order import OrderBook
from tests.projections.builders import START, Story

SIGNING_KEY = "11" * 32
LIFETIME = timedelta(seconds=120)


@dataclass(slots=True)
class Estate:
    """Supplies with a control that decides on them when it is told to."""

    story: Story
    connection: Connection[Any]
    now: datetime = START + timedelta(hours=1)
    control: Control = field(init=False)

    def __post_init__(self) -> None:
        self.control = Control(OrderBook(OrderSigner(SIGNING_KEY), LIFETIME), now=lambda _: self.now)

    @property
    def verifier(self) -> OrderVerifier:
        return OrderVerifier(OrderSigner(SIGNING_KEY).public_key_hex)

    def decide(self) -> None:
        """One whole pass over the candidates."""
        while self.control.turn(self.connection):
            pass

    def later(self, delay: timedelta) -> None:
        self.now += delay

    def relay(self, supply: str) -> Relay:
        with Ledger(url=self.story.url) as ledger:
            relay, version = ledger.folded(relay_stream(supply), evolve, Relay(supply=supply))
        self.story.wrote_elsewhere(relay_stream(supply), version)
        return relay

    def order(self, supply: str) -> OrderIssued:
        """The supply's newest order."""
        order = self.relay(supply).order
        assert order is not None
        return order

    def sample(self, metric: str, **labels: str) -> float | None:
        return self.control.metrics.registry.get_sample_value(metric, labels)

    def history(self, supply: str) -> list[Fact]:
        """The facts of the supply's relay, oldest first."""
        with Ledger(url=self.story.url) as ledger:
            events = list(ledger.events.get(relay_stream(supply)))
        self.story.wrote_elsewhere(relay_stream(supply), len(events))
        return [event.fact for event in events]  # type: ignore[attr-defined]

    def kinds(self, supply: str) -> list[str]:
        """The history in words: what happened, and for orders which way."""
        return [_word(fact) for fact in self.history(supply)]


def _word(fact: Fact) -> str:
    name = fact.topic.removeprefix("relay.").partition("/")[0]
    return f"{name} {getattr(fact, 'action', getattr(fact, 'cause', ''))}".strip()
