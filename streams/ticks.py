"""What a tick of the calendar means to pricing: which supply points it is for, and whether its date has ended."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from ledger import wire
from ledger.domain.meter import Source
from ledger.domain.snapshot import PricingSnapshot
from ledger.domain.supply import Supply
from ledger.domain.time_due import is_timed
from streams.message import Message

# Nowhere does a date end earlier.
_EASTERNMOST = timezone(timedelta(hours=14))


def source_of(message: Message, tick: wire.Tick) -> Source:
    """Return where a tick stands in Kafka, for the evidence of what it charges."""
    return Source(message.partition.number, message.offset, message.published_at, local_date=tick.local_date)


def timed_supplies(snapshot: PricingSnapshot, concentrator: str) -> list[Supply]:
    """Return the supply points of a concentrator that time alone brings something to.

    Not those that are billed by token: their days are charged with the next one.
    """
    return [
        supply
        for supply in snapshot.supplies_at(concentrator)
        if supply.tokens is None
        and supply.occupancies
        and any(is_timed(price) for price in snapshot.prices_of(supply))
    ]


def refusal(snapshot: PricingSnapshot, tick: wire.Tick, *, published_at: datetime) -> wire.WireError | None:
    """Say why a tick cannot be applied: nothing is fed through its concentrator, or its date has not ended yet.

    By the message's time alone, and by the first of its supply points' zones in which a date ends; a supply point in
    a later zone is charged once its own date has ended, with the next tick.
    """
    supplies = snapshot.supplies_at(tick.concentrator)
    if not supplies:
        return wire.WireError(
            "unknown-concentrator", f"no supply point is fed through concentrator {tick.concentrator!r}"
        )
    ended_at = min(_ends_at(tick, zone) for zone in _zones(snapshot, supplies))
    if published_at < ended_at:
        return wire.WireError(
            "in-the-future",
            f"local date {tick.local_date.isoformat()} ends at {ended_at.isoformat()} at the earliest, its tick"
            f" is of {published_at.isoformat()}; publish it again then",
        )
    return None


def _zones(snapshot: PricingSnapshot, supplies: list[Supply]) -> Iterator[tzinfo]:
    seen = {terms.tariff for supply in supplies for terms in supply.terms}
    zones: list[tzinfo] = [zone for code in seen if (zone := snapshot.zone_of_tariff(code)) is not None]
    yield from zones or [_EASTERNMOST]


def _ends_at(tick: wire.Tick, zone: tzinfo) -> datetime:
    following = tick.local_date + timedelta(days=1)
    return datetime(following.year, following.month, following.day, tzinfo=zone).astimezone(UTC)
