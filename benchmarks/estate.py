"""An estate of any size, written into the ledger at once: what a benchmark's meters hang on."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from psycopg import Connection

from ledger.domain.account import AccountCredited, AccountOpened
from ledger.domain.event import Event, Fact
from ledger.domain.postings import top_up_postings
from ledger.domain.site import SiteSettingsChanged
from ledger.domain.supply import MeterInstalled, SupplyOccupied, SupplyRegistered, TermsAssigned
from ledger.domain.tariff import TariffPublished
from ledger.store.gate import gated
from ledger.store.mapper import stored
from ledger.values.identity import account_stream, site_stream, supply_stream, tariff_stream

SITE = "bench"
TARIFF = "measured"
METERS_PER_SWEEP = 100
OPENING_MILLIWH = 1_000_000
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
# Far beyond what a benchmark uses up; those who shall run dry get none.
CREDIT_MICROS = 1_000_000_000_000
_APPENDED_AT_ONCE = 20_000


def serial(meter: int) -> str:
    """Return a meter's serial."""
    return f"m{meter:08d}"


def supply(meter: int) -> str:
    """Return the supply point that a meter measures."""
    return f"s{meter:08d}"


def account(meter: int) -> str:
    """Return the account that occupies it."""
    return f"a{meter:08d}"


def concentrator(number: int) -> str:
    """Return a concentrator's id."""
    return f"c{number:05d}"


def concentrators(meters: int) -> int:
    """Return how many concentrators there are for so many meters."""
    return -(-meters // METERS_PER_SWEEP)


def found(
    connection: Connection[Any], *, meters: int, tariff: str, first: int = 0, credit_micros: int = CREDIT_MICROS
) -> None:
    """Write site, tariff and meters `first` to `meters` − 1, each occupied and with credit, as use cases would."""
    events = _all_events(meters=meters, tariff=tariff, first=first, credit_micros=credit_micros)
    while batch := [stored(event) for event in islice(events, _APPENDED_AT_ONCE)]:
        with gated(connection) as gate:
            gate.append(batch)


def _all_events(*, meters: int, tariff: str, first: int, credit_micros: int) -> Iterator[Event]:
    if first == 0:
        site = SiteSettingsChanged(
            site=SITE, effective_from=SINCE, reconnection="automatic", warning_balance_micros=0, recorded_at=SINCE
        )
        yield Event(site_stream(SITE), 1, site)
        published = TariffPublished(
            tariff=TARIFF, version=1, effective_from=SINCE, text=tariff, note="measured", recorded_at=SINCE
        )
        yield Event(tariff_stream(TARIFF), 1, published)
    for meter in range(first, meters):
        for version, fact in enumerate(_account_facts(meter, credit_micros), 1):
            yield Event(account_stream(account(meter)), version, fact)
        for version, fact in enumerate(_supply_facts(meter), 1):
            yield Event(supply_stream(supply(meter)), version, fact)


def _account_facts(meter: int, credit_micros: int) -> Sequence[Fact]:
    code = account(meter)
    return (
        AccountOpened(account=code, site=SITE, currency="CNY", recorded_at=SINCE),
        AccountCredited(
            account=code,
            amount_micros=credit_micros,
            channel="bank",
            reference_hash="",
            key_hash="",
            postings=top_up_postings(account=code, channel="bank", amount_micros=credit_micros),
            recorded_at=SINCE,
        ),
    )


def _supply_facts(meter: int) -> Sequence[Fact]:
    code = supply(meter)
    return (
        SupplyRegistered(
            supply=code, site=SITE, concentrator=concentrator(meter // METERS_PER_SWEEP), recorded_at=SINCE
        ),
        MeterInstalled(
            supply=code,
            meter=serial(meter),
            profile="bench",
            installed_at=SINCE,
            opening_milliwh=OPENING_MILLIWH,
            max_power_w=20_000,
            modulus_milliwh=10**14,
            resolution_milliwh=10_000,
            recorded_at=SINCE,
        ),
        TermsAssigned(supply=code, tariff=TARIFF, effective_from=SINCE, recorded_at=SINCE),
        SupplyOccupied(
            supply=code,
            account=account(meter),
            occupied_from=SINCE,
            opening_milliwh=OPENING_MILLIWH,
            recorded_at=SINCE,
        ),
    )
