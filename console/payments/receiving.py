"""Takes in what providers deliver: verified, kept as rows, and only then answered. Nothing is booked here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection

from console.payments import deliveries
from console.payments.port import NotGenuine, PaymentEvent, Webhooks
from console.payments.providers import webhooks_in
from ledger.values.errors import InvalidValue, LedgerError, NotFound
from ledger.values.outside import reference_hash


@dataclass(frozen=True, slots=True)
class Received:
    """How much news of a delivery was new, and how much had been told before."""

    kept: int = 0
    repeated: int = 0


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Who may tell us of payments. `count` is told each delivery's provider and outcome."""

    webhooks: Mapping[str, Webhooks] = field(default_factory=dict, repr=False)
    reference_key: str = field(default="", repr=False)
    count: Callable[[str, str], None] = lambda _provider, _outcome: None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Receiver":
        """Read the providers and the key that hashes their references; raises InvalidValue for what is wrong."""
        webhooks = webhooks_in(environ)
        reference_key = environ.get("WATTLEDGER_REFERENCE_KEY", "")
        if webhooks:
            reference_hash("", key_hex=reference_key)
        return cls(webhooks=webhooks, reference_key=reference_key)

    def receive(
        self, connection: Connection[Any], *, provider: str, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> Received:
        """Keep what a delivery tells; header names are in lower case.

        Raises NotFound for a provider that is not set up, and what `Webhooks.events_of` and `deliveries.keep` raise.
        """
        webhooks = self.webhooks.get(provider)
        if webhooks is None:
            raise NotFound(f"no provider {provider[:64]!r} is set up here; see docs/payments.md")
        try:
            received = self._kept(connection, provider, webhooks.events_of(body, headers, now=now))
        except LedgerError as error:
            self.count(provider, _word_for(error))
            raise
        self.count(provider, "kept" if received.kept else "repeated" if received.repeated else "of-no-concern")
        return received

    def _kept(self, connection: Connection[Any], provider: str, events: Sequence[PaymentEvent]) -> Received:
        with connection.transaction():
            kept = sum(
                deliveries.keep(connection, event, provider=provider, reference_key=self.reference_key)
                for event in events
            )
        return Received(kept, len(events) - kept)


def _word_for(error: LedgerError) -> str:
    if isinstance(error, NotGenuine):
        return "not-genuine"
    return "unreadable" if isinstance(error, InvalidValue) else "contradicts"
