"""Between facts and stored events: JSON by msgspec, topics from the facts' own registry."""

from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent

from ledger.domain import (  # noqa: F401 - importing registers their facts
    account,
    account_facts,
    agent,
    autopay,
    books,
    cuts,
    meter,
    meter_life,
    payer,
    policy,
    proposal,
    protection,
    receipt,
    relay,
    site,
    supply,
    switching_rules,
    tariff,
    timetable,
    token_billing,
    vending,
)
from ledger.domain.credit import facts as credit_facts  # noqa: F401 - the same
from ledger.domain.credit import policy as credit_policy  # noqa: F401 - the same
from ledger.domain.event import FACTS, UPCASTS, Event, Fact, newest
from ledger.values.errors import InvalidValue, LedgerError

_encode = msgspec.json.Encoder().encode
_state_decoder = msgspec.json.Decoder(meter.StateAfter)
_decoders: dict[str, "msgspec.json.Decoder[Fact]"] = {
    topic: msgspec.json.Decoder(cls) for topic, cls in FACTS.items()
}


class UnknownFact(LedgerError):
    """A stored event is of a topic, or a shape, that this version of the software does not know."""


def stored(event: Event) -> StoredEvent:
    """Return the event as it is stored."""
    fact = event.fact
    return StoredEvent(event.originator_id, event.originator_version, fact.topic, _encode(fact))


def fact_of(topic: str, state: bytes) -> Fact:
    """Return the fact that stored bytes hold, in the newest shape of its kind; raises UnknownFact."""
    try:
        fact = _decoders[topic].decode(state)
        return newest(fact) if topic in UPCASTS else fact
    except KeyError:
        raise UnknownFact(f"topic {topic!r} is not known here; a newer version wrote it: upgrade") from None
    except msgspec.DecodeError as error:
        raise unreadable(topic, error) from None


def state_after(topic: str, state: bytes) -> Fact:
    """Return what an event of a meter stream leaves behind, in a fifth of the time that the whole fact takes.

    Raises UnknownFact, as `fact_of`.
    """
    if topic in UPCASTS or topic not in FACTS:
        return fact_of(topic, state)
    try:
        return _state_decoder.decode(state)
    except msgspec.DecodeError as error:
        raise unreadable(topic, error) from None


def unreadable(topic: str, error: msgspec.DecodeError) -> UnknownFact:
    """Return what is raised for stored bytes that are not of their topic's shape."""
    return UnknownFact(f"an event of topic {topic!r} cannot be read ({error}); run `wattledger audit`")


def _readable(event: Event) -> StoredEvent:
    """Return the event as it is stored; raises InvalidValue where nobody could read it again.

    Types are checked when bytes are decoded only, and what is stored stays: a time without a zone or a mode that does
    not exist would stop every reader of the log for good. NUL is what PostgreSQL's jsonb cannot hold.
    """
    topic = event.fact.topic
    if topic in UPCASTS:
        raise TypeError(f"{topic} is read, but no longer written; write its newest version")
    try:
        row = stored(event)
        _decoders[topic].decode(row.state)
    except (msgspec.DecodeError, UnicodeEncodeError, OverflowError) as error:
        raise InvalidValue(f"{topic} cannot be stored: {error}") from None
    if rb"\u0000" in row.state:
        raise InvalidValue(f"{topic} cannot be stored: a text holds the character NUL; leave it out")
    return row


class FactMapper(Mapper[UUID]):
    """The library's mapper, on our facts."""

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Return the event as it is stored; raises InvalidValue for what could not be read again."""
        if not isinstance(domain_event, Event):
            raise TypeError(f"the ledger stores ledger.domain.event.Event, not {type(domain_event).__name__}")
        return _readable(domain_event)

    def to_domain_event(self, stored_event: StoredEvent) -> Event:
        """Return the stored event as it was; raises UnknownFact."""
        fact = fact_of(stored_event.topic, stored_event.state)
        return Event(UUID(str(stored_event.originator_id)), stored_event.originator_version, fact)
