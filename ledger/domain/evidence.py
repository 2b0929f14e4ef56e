"""What a reading is evidence of: its business identity, its time, what it says, and how it was read."""

from datetime import datetime
from uuid import UUID

import msgspec

from ledger.domain import intervals
from ledger.values.identity import reading_id
from ledger.wire import IntervalReading, RegisterReading


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """What every fact about a reading repeats of it."""

    reading: UUID
    read_at: datetime
    register_milliwh: int | None
    covers: IntervalReading | None
    quality: str
    profile: str
    raw: str

    @property
    def energy_milliwh(self) -> int | None:
        """The register, or the interval's energy, as it was given."""
        return self.register_milliwh if self.covers is None else self.covers.import_milliwh


def evidence_of(reading: RegisterReading | IntervalReading) -> Evidence:
    """Return what a reading is evidence of, under its business identity."""
    if isinstance(reading, RegisterReading):
        identity = reading_id(meter=reading.meter, registers="import", read_at=reading.read_at)
        at, register, covers = reading.read_at, reading.import_milliwh, None
    else:
        identity = intervals.identity(reading)
        at, register, covers = reading.end, None, reading
    return Evidence(identity, at, register, covers, reading.quality, reading.profile, reading.raw)
