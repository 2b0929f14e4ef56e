"""Facts and events: a fact is what happened, an event is a fact at its place in a stream."""

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from eventsourcing.utils import register_topic

from ledger.wire import Instant


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something that happened, as it is stored; `recorded_at` is when the ledger took it in (UTC)."""

    # The topic is schema: stored with every event, never changed. A new shape gets a new version and an upcaster.
    topic: ClassVar[str] = ""

    recorded_at: Instant


class Posting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line of a double-entry transaction: debits are positive, credits negative, in micro-units.

    `account` is the consumer account the line belongs to, empty where it belongs to none.
    """

    code: str
    account: str
    amount_micros: int


class Event(msgspec.Struct, frozen=True, gc=False):
    """A fact at its place: version `originator_version` (1, 2, 3 …) of stream `originator_id`."""

    originator_id: UUID
    originator_version: int
    fact: Any


FACTS: dict[str, type[Fact]] = {}
UPCASTS: dict[str, Callable[[Any], Fact]] = {}


def fact_type(topic: str, *, upcast: Callable[[Any], Fact] | None = None) -> Any:
    """Register the decorated class under its stable topic, for us and for the eventsourcing library.

    A shape that is no longer written stays registered under its own topic with an `upcast`, a pure function to the
    shape of the next version: it is then read as the newest, whatever number of versions lie between. What is stored
    stays as it is.
    """

    def registered(cls: type[Fact]) -> type[Fact]:
        cls.topic = topic
        FACTS[topic] = cls
        if upcast is not None:
            UPCASTS[topic] = upcast
        register_topic(topic, cls)
        return cls

    return registered


def newest(fact: Fact) -> Fact:
    """Return a fact in the shape that is written today."""
    while (upcast := UPCASTS.get(fact.topic)) is not None:
        fact = upcast(fact)
    return fact
