"""Typing errors through the real pricing, read models and control: held for a person, and nobody in the dark."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from ledger import wire
from ledger.domain.meter import ReadingHeld, UsageDebited
from ledger.domain.relay import OrderIssued
from ledger.store.application import Ledger
from ledger.store.log import read_log
from ledger.usecases.switching import held_cuts
from ledger.values.signing import OrderSigner
from projections.control import Control
from projections.order import OrderBook
from projections.process import connect
from projections.worklist import HELD_BATCH, items
from tests.estate import FLAT_TARIFF, OPENING_MILLIWH, build_estate, credit
from tests.projections.conftest import Project
from tests.projections.estate import LIFETIME, SIGNING_KEY
from tests.services.postgres import Database
from tests.streams.direct import messages_of, pricing_applier

FLATS = 8
OPENED_AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


class Site:
    """A site priced by a tariff, its sweeps applied as they come from the broker."""

    def __init__(self, database: Database, project: Project, control: Connection[Any]) -> None:
        self.database, self.project, self.connection = database, project, control

    def is_read(
        self,
        *,
        tariff: str = FLAT_TARIFF,
        multiplier: str = "1",
        usage_milliwh: int = 1_000_000,
        limit_w: int = 0,
    ) -> None:
        """Eight flats with 9.00 each, all of them read after half an hour, a kilowatt-hour later if not said."""
        with Ledger(url=self.database.url("wattledger_writer")) as ledger:
            estate = build_estate(
                ledger,
                meters_each=FLATS,
                opened_at=OPENED_AT,
                max_power_w=20_000,
                tariff_text=tariff,
                multiplier=multiplier,
                limit_w=limit_w,
            )
            for supply in estate.supplies:
                credit(ledger, account=f"{supply}-a", amount_micros=9_000_000, key=supply)
        read_at = OPENED_AT + timedelta(minutes=30)
        readings = [
            wire.Reading(
                register=wire.RegisterReading(
                    meter=meter, read_at=read_at, import_milliwh=OPENING_MILLIWH + usage_milliwh
                )
            )
            for meter in estate.meters_of("c1")
        ]
        sweep = wire.Sweep(concentrator="c1", collector="edge", sequence=1, readings=readings)
        applier = pricing_applier(self.database.url("wattledger_writer"))
        assert applier.apply(messages_of([sweep], published_at=read_at + timedelta(seconds=1))) is not None
        applier.close()
        control = Control(OrderBook(OrderSigner(SIGNING_KEY), LIFETIME))
        for _ in range(2):
            self.project()
            while control.turn(self.connection):
                pass
        self.project()

    def count(self, kind: type) -> int:
        return sum(isinstance(event.fact, kind) for event in read_log(self.connection, after=0, limit=10_000))

    def held_together(self) -> int:
        with Ledger(url=self.database.url("wattledger_writer")) as ledger:
            return len(held_cuts(ledger, site="north").held)


@pytest.fixture
def site(database: Database, project: Project) -> Iterator[Site]:
    with connect(database.url("wattledger_control"), name="test") as connection:
        yield Site(database, project, connection)


def test_a_tariff_a_thousand_times_too_dear_ends_in_a_held_batch(site: Site, finance: Connection[Any]) -> None:
    dear = FLAT_TARIFF.replace('"0.617"', '"617"')
    assert dear != FLAT_TARIFF
    site.is_read(tariff=dear)
    assert site.count(UsageDebited) == FLATS
    assert (site.held_together(), site.count(OrderIssued)) == (FLATS, 0)
    (item,) = items(finance, kind=HELD_BATCH)
    assert item.subject == "north"


def test_a_wrong_transformer_ratio_in_the_meters_ends_in_held_readings(site: Site, finance: Connection[Any]) -> None:
    """Set to transformers of 40 that are not there, a meter tells 80 kW, more than the wires carry."""
    site.is_read(usage_milliwh=40_000_000)
    assert (site.count(ReadingHeld), site.count(UsageDebited)) == (FLATS, 0)
    assert (site.held_together(), site.count(OrderIssued)) == (0, 0)
    assert items(finance, kind=HELD_BATCH) == []


def test_a_wrong_transformer_ratio_in_the_ledger_ends_in_held_readings(site: Site, finance: Connection[Any]) -> None:
    """The supply's own limit counts once, however many times the ratio says that the meter counts."""
    site.is_read(multiplier="40", limit_w=20_000)
    assert (site.count(ReadingHeld), site.count(UsageDebited)) == (FLATS, 0)
    assert (site.held_together(), site.count(OrderIssued)) == (0, 0)
    assert len(items(finance, kind="reading-held")) == FLATS


def test_and_where_no_limit_is_known_in_a_held_batch(site: Site) -> None:
    site.is_read(multiplier="40")
    assert site.count(UsageDebited) == FLATS
    assert (site.held_together(), site.count(OrderIssued)) == (FLATS, 0)
