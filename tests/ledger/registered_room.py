"""The meter `room` counts 峰 from 08:00 to 22:00 in Shanghai, 谷 at night; it was moved into at 16:00."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from ledger.domain.event import Fact
from ledger.domain.meter import UsageDebited
from ledger.domain.metering import take_register
from ledger.domain.supply import Registers, SupplyOccupied
from ledger.wire import RegisterReading
from tests.ledger.builders import MOVED_IN, Household, household, milliwh, minutes
from tests.ledger.tariff_files import ENERGY, HOURS, tariff_file

STEP = 10_000  # what the meter's registers count by
TIME_OF_USE = tariff_file(
    HOURS, '[[charges]]\ncomponent = "energy"\nkind = "time-of-use"\nprices = { "峰" = "1", "谷" = "0.5" }\n'
)
BLOCKS_BY_PERIOD = tariff_file(
    HOURS,
    '[[charges]]\ncomponent = "energy"\nkind = "blocks"\n'
    '[[charges.blocks]]\nup_to_kwh = "20"\nprices = { "峰" = "1", "谷" = "0.5" }\n'
    '[[charges.blocks]]\nprices = { "峰" = "2", "谷" = "1.5" }\n',
    '[[taxes]]\ncomponent = "vat"\npercent = "13"\non = ["energy"]\n',
)
REACTIVE = tariff_file(ENERGY, '[[charges]]\ncomponent = "reactive"\nkind = "flat"\nprice_per_kvarh = "0.1"\n')
DEMAND = tariff_file(
    ENERGY, '[[charges]]\ncomponent = "peak"\nkind = "demand"\nprice_per_kw = "30"\ninterval_min = 15\n'
)


@dataclass(slots=True)
class Room:
    """A household whose meter has registers beside the total, all as kWh since it moved in."""

    home: Household
    opening: Mapping[str, int] = field(default_factory=dict)

    def reads(self, at: float, kwh: str, *, published_at: float | None = None, **others: object) -> None:
        """Take in a reading; `peak` and `night` are the registers by period, the rest as on the wire."""
        names = {"peak": "峰", "night": "谷"}
        periods = {names[key]: milliwh(str(others.pop(key))) for key in names if key in others}
        reading = RegisterReading(
            meter="room-1-m",
            read_at=minutes(at),
            import_milliwh=milliwh(self.home.opening_kwh + Decimal(kwh)),
            periods=periods or None,
            **others,  # type: ignore[arg-type]
        )
        source = self.home.source(at if published_at is None else published_at)
        take_register(self.home.draft, self.home.metering, self.home.supply, reading, source)

    @property
    def lines(self) -> list[tuple[str, str, int]]:
        """Period, quantity and amount of the newest debit's lines but taxes."""
        lines = self.home.debits[-1].lines
        return [(line.time_of_use, line.quantity, line.amount_micros) for line in lines if not line.tax]


def room(text: str = TIME_OF_USE, *, opening: Registers | None = None) -> Room:
    home = household(text=text, occupied_at=None)
    home.snapshot.apply(
        SupplyOccupied(
            supply="room-1",
            account="room-1-a",
            occupied_from=MOVED_IN,
            opening_milliwh=milliwh(home.opening_kwh),
            opening_registers=opening,
            recorded_at=MOVED_IN,
        )
    )
    return Room(home)


AT_ZERO = Registers(periods={"峰": 0, "谷": 0})


def totals(facts: Sequence[Fact]) -> dict[str, int]:
    found: dict[str, int] = {}
    for fact in facts:
        if isinstance(fact, UsageDebited):
            for line in fact.lines:
                found[line.component] = found.get(line.component, 0) + line.amount_micros
    return found
