"""What became of an import in the ledger, counted from its own events: committed is not billed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection

from ledger.domain.meter import ReadingHeld, UsageCorrected, UsageDebited
from ledger.values.energy import kwh_from_milliwh
from ledger.values.identity import meter_stream

# A collector's id is one import's own, so a supply point's events name the import that brought them. Readings that
# were not let into the stream at all stand beside it, with their reason.
_BOOKED = """
SELECT CASE WHEN e.topic = %(held)s THEN f.fact ->> 'reason' ELSE e.topic END AS became, count(*),
    coalesce(sum((f.fact ->> 'usage_milliwh')::numeric - coalesce((f.fact ->> 'replaced_milliwh')::numeric, 0)), 0)
FROM ledger.events AS e
CROSS JOIN LATERAL (SELECT convert_from(e.state, 'UTF8')::jsonb AS fact) AS f
WHERE e.originator_id = %(stream)s AND e.topic IN (%(debited)s, %(corrected)s, %(held)s)
    AND f.fact -> 'source' ->> 'collector' = %(collector)s
GROUP BY 1
UNION ALL
SELECT reason, count(*), 0 FROM ledger.stray_readings
WHERE collector = %(collector)s AND meter = %(meter)s
GROUP BY 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """How many of an import's intervals are billed, correct what was billed, are held (by reason) or superseded.

    Superseded ones say again what is billed. `corrected_milliwh` is the net change of the energy that was billed.
    """

    intervals: int
    billed: int = 0
    billed_milliwh: int = 0
    corrected: int = 0
    corrected_milliwh: int = 0
    held_for: Mapping[str, int] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """How many are held for any reason."""
        return sum(self.held_for.values())

    @property
    def superseded(self) -> int:
        """How many brought no event, for they say again what is billed."""
        return self.intervals - self.billed - self.corrected - self.held

    def __str__(self) -> str:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.held_for.items()))
        change = f"{kwh_from_milliwh(self.corrected_milliwh):+f} kWh"
        return (
            f"billed {self.billed} ({kwh_from_milliwh(self.billed_milliwh):f} kWh), "
            f"{f'corrected {self.corrected} ({change}), ' if self.corrected else ''}held {self.held}"
            f"{f' ({reasons})' if reasons else ''}, superseded {self.superseded}"
        )


def booked(connection: Connection[Any], *, supply: str, meter: str, collector: str, intervals: int) -> Booked:
    """Count what the ledger made of the intervals that an import gave it for a supply point's meter."""
    parameters = {
        "debited": UsageDebited.topic,
        "corrected": UsageCorrected.topic,
        "held": ReadingHeld.topic,
        "stream": meter_stream(supply),
        "collector": collector,
        "meter": meter,
    }
    found = {
        str(became): (int(count), int(milliwh)) for became, count, milliwh in connection.execute(_BOOKED, parameters)
    }
    billed, billed_milliwh = found.pop(UsageDebited.topic, (0, 0))
    corrected, corrected_milliwh = found.pop(UsageCorrected.topic, (0, 0))
    return Booked(
        intervals=intervals,
        billed=billed,
        billed_milliwh=billed_milliwh,
        corrected=corrected,
        corrected_milliwh=corrected_milliwh,
        held_for={reason: count for reason, (count, _) in found.items()},
    )
