"""What the tests of bills share: usage put briefly, and amounts per component."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from ledger.rating.bill import bill, quantity_usage
from ledger.rating.lines import Counters, Line
from ledger.rating.rate import CompiledTariff
from ledger.rating.usage import Usage
from ledger.values.money import decimal_from_micros
from tests.ledger.builders import milliwh

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
MORNING = datetime(2026, 3, 10, 9, tzinfo=SHANGHAI)


def amounts(lines: list[Line]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for line in lines:
        found[line.component] = found.get(line.component, Decimal(0)) + decimal_from_micros(line.amount_micros)
    return {name: amount.normalize() for name, amount in found.items()}


def dec(**figures: str) -> dict[str, Decimal]:
    return {name: Decimal(figure).normalize() for name, figure in figures.items()}


def used(
    tariff: CompiledTariff, kwh: str, *, counters: Counters | None = None, at: datetime = MORNING
) -> dict[str, Decimal]:
    usage = quantity_usage(tariff, milliwh(kwh), at=at)
    return amounts(bill(tariff, [usage], counters=counters or Counters(), days=False).lines)


def hours(start: datetime, number: float, kwh: str, **more: object) -> Usage:
    return Usage(start, start + timedelta(hours=number), milliwh(kwh), **more)  # type: ignore[arg-type]
