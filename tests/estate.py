"""A small estate to test on: supply points with meters, accounts and a flat tariff, set up through the use cases."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ledger.store.application import Ledger
from ledger.usecases.accounts import open_account, top_up
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import MeterFacts, assign_tariff, install_meter, occupy, register_supply
from ledger.usecases.switching import set_switching_rules
from ledger.usecases.tariffs import publish_tariff

# Rules under which a cut has nothing to wait for.
AT_ONCE = {"reading_age_s": 0, "warning_lead_s": 0, "least_on_s": 0, "gap_s": 0, "grace_s": 0, "silence_s": 0}
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
OPENING_MILLIWH = 1_000_000

FLAT_TARIFF = """
code = "flat"
currency = "CNY"
time_zone = "Asia/Shanghai"
billing_period = "month"
prices = "tax-exclusive"
tax_point = "supply"

[[charges]]
component = "energy"
kind = "flat"
price_per_kwh = "0.617"

[[taxes]]
component = "vat"
percent = "13"
on = ["energy"]
"""


@dataclass(slots=True)
class Estate:
    """What `build_estate` set up: supply point `c1-1` has meter `c1-1-m` and account `c1-1-a`, and so on."""

    concentrators: list[str]
    supplies: dict[str, str] = field(default_factory=dict)

    def meters_of(self, concentrator: str) -> list[str]:
        """The serials of a concentrator's meters."""
        return [f"{supply}-m" for supply, at in self.supplies.items() if at == concentrator]


def build_estate(
    ledger: Ledger,
    *,
    concentrators: int = 1,
    meters_each: int = 3,
    opened_at: datetime = LONG_AGO,
    warning_balance_micros: int = 5_000_000,
    max_power_w: int = 100_000_000,
    limit_w: int = 0,
    tariff_text: str = FLAT_TARIFF,
    multiplier: str = "1",
) -> Estate:
    """Set up an estate whose supply points are occupied since `opened_at`, registers at OPENING_MILLIWH."""
    now = datetime.now(UTC)
    estate = Estate([f"c{number}" for number in range(1, concentrators + 1)])
    change_site_settings(
        ledger,
        site="north",
        reconnection="automatic",
        warning_balance_micros=warning_balance_micros,
        effective_from=opened_at,
        now=now,
    )
    set_switching_rules(ledger, site="north", effective_from=opened_at, operator="ana", now=now, **AT_ONCE)
    publish_tariff(ledger, text=tariff_text, effective_from=opened_at - timedelta(days=1), note="test", now=now)
    for concentrator in estate.concentrators:
        for number in range(1, meters_each + 1):
            supply = f"{concentrator}-{number}"
            estate.supplies[supply] = concentrator
            add_supply(
                ledger,
                supply=supply,
                concentrator=concentrator,
                opened_at=opened_at,
                max_power_w=max_power_w,
                limit_w=limit_w,
                now=now,
                multiplier=multiplier,
            )
    return estate


def add_supply(
    ledger: Ledger,
    *,
    supply: str,
    concentrator: str,
    opened_at: datetime,
    max_power_w: int,
    now: datetime,
    limit_w: int = 0,
    multiplier: str = "1",
) -> None:
    """Register, equip, occupy and price one supply point."""
    register_supply(ledger, supply=supply, site="north", concentrator=concentrator, now=now)
    meter = MeterFacts(
        serial=f"{supply}-m",
        profile="acrel_ddsy1352",
        max_power_w=max_power_w,
        limit_w=limit_w,
        modulus_milliwh=2**32 * 10_000,
        resolution_milliwh=10_000,
    )
    install_meter(
        ledger,
        supply=supply,
        meter=meter,
        installed_at=opened_at,
        opening_milliwh=OPENING_MILLIWH,
        now=now,
        multiplier=multiplier,
    )
    open_account(ledger, account=f"{supply}-a", site="north", currency="CNY", now=now)
    occupy(
        ledger,
        supply=supply,
        account=f"{supply}-a",
        occupied_from=opened_at,
        opening_milliwh=OPENING_MILLIWH,
        now=now,
    )
    assign_tariff(ledger, supply=supply, tariff="flat", effective_from=opened_at, now=now)


def credit(ledger: Ledger, *, account: str, amount_micros: int, key: str) -> None:
    """Top an account up at a kiosk."""
    top_up(ledger, account=account, amount_micros=amount_micros, channel="kiosk", key=key, now=datetime.now(UTC))
