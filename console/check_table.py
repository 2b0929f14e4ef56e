"""The table of `wattledger collect --check`."""

import io
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from collectors.site_check import MeterCheck
from ledger.values.energy import kwh_from_milliwh


def check_table(checks: Iterable[MeterCheck]) -> str:
    """Return the table as text."""
    table = Table("concentrator", "unit", "serial", "supply", "profile", "register, kWh", "relay", "ms", "problem")
    for check in checks:
        meter, register_milliwh = check.meter, check.register_milliwh
        table.add_row(
            check.concentrator,
            str(meter.unit),
            meter.serial,
            meter.supply,
            meter.profile.name,
            "" if register_milliwh is None else f"{kwh_from_milliwh(register_milliwh).normalize():f}",
            check.relay,
            f"{check.took_s * 1000:.0f}",
            escape(check.problem),
        )
    text = io.StringIO()
    Console(file=text, width=200).print(table)
    return text.getvalue()
