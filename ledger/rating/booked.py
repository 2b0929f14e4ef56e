"""What of a tariff the live path does not book yet: to publish it would bill less than the file says, in silence.

`tariff rate`, `quote` and `simulate` know all of it. Each entry goes when its path is there: time charges with the
calendar's ticks, other units with their registers on the wire.
"""

from ledger.rating.components import CapacityCharge, DailyCharge
from ledger.rating.tariff import Tariff

_AWAITED = {
    DailyCharge: "a charge per day",
    CapacityCharge: "a charge per contracted kW",
}


def unbooked(tariff: Tariff) -> list[str]:
    """Say what of the tariff is not booked by the live path yet; empty where all of it is."""
    reasons = [
        f"{charge.component!r} is {_AWAITED[type(charge)]}" for charge in tariff.charges if type(charge) in _AWAITED
    ]
    reasons += [f"{minimum.component!r} is a minimum charge" for minimum in tariff.minimums]
    reasons += [f"{allowance.component!r} is a daily allowance" for allowance in tariff.allowances]
    return reasons
