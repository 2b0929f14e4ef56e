"""An office that bills interval files: a ledger with a price worker, the command line to reach both, and a file."""

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from console.installing import meter_facts
from ledger.store.application import Ledger
from ledger.usecases.equip import SupplyPoint, equip
from tests.services.postgres import Database

SINCE = datetime(2003, 1, 1, tzinfo=UTC)
PRICE = Decimal("0.3105")
TAX_PERCENT = Decimal(10)

TARIFF = f"""
code = "market"
currency = "AUD"
time_zone = "Australia/Brisbane"
billing_period = "month"
prices = "tax-exclusive"
tax_point = "supply"
[[charges]]
component = "energy"
kind = "flat"
price_per_kwh = "{PRICE}"
[[taxes]]
component = "gst"
percent = "{TAX_PERCENT}"
on = ["energy"]
"""

# Two days of 30-minute intervals with two import channels, one export and one reactive one: E1 1.5 and E2 0.25 kWh.
OWN_FILE = "\n".join(
    ["100,NEM12,202601020000,US,THEM"]
    + [
        line
        for number, (suffix, unit, value) in enumerate(
            [("E1", "kWh", "1.5"), ("E2", "kWh", "0.25"), ("B1", "kWh", "9"), ("Q1", "kVArh", "7")]
        )
        for line in (
            f"200,OURNMI0001,E1E2B1Q1,{number},{suffix},N1,SER1,{unit},30,",
            *(f"300,{day},{','.join([value] * 48)},A,,,20260102000000," for day in ("20251231", "20260101")),
        )
    ]
    + ["900", ""]
)


@dataclass(frozen=True, slots=True)
class Told:
    """How a command ended and what it said."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Office:
    """A ledger, a broker, and the command line's environment to reach both."""

    ledger: Ledger
    database: Database
    environment: dict[str, str]

    def told(self, *arguments: str) -> Told:
        """Give a command and return how it ended."""
        finished = subprocess.run(
            [sys.executable, "-m", "console", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Told(finished.returncode, finished.stdout + finished.stderr)

    def wattledger(self, *arguments: str) -> str:
        """Give a command and return what it said."""
        return self.told(*arguments).text


def add_supply(
    office: Office,
    nmi: str,
    *,
    profile: str = "nem12",
    tariff: str = "market",
    max_power_w: int = 1_000_000,
    since: datetime = SINCE,
) -> None:
    wanted = SupplyPoint(
        supply=f"supply-{nmi}",
        site="files",
        concentrator="files",
        meter=meter_facts(serial=nmi, profile=profile, max_power_w=max_power_w),
        account=f"account-{nmi}",
        currency="AUD",
        tariff=tariff,
        opening_milliwh=0,
        since=since,
    )
    for _ in equip(office.ledger, wanted, now=datetime.now(UTC)):
        pass
