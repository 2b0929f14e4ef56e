"""What happens to a supply point after its first meter and occupant: exchanges, multipliers, moves, resolved holds.

Facts of the Supply stream, written by use cases. The ones that concern metering are settled into the meter stream by
the partition's owner, in their order, with the supply point's next reading or tick (`settling.py`).
"""

from typing import Literal
from uuid import UUID

from ledger.domain.event import Fact, fact_type
from ledger.values.commissioning import CommissionedRelay
from ledger.wire import Instant

Resolution = Literal["release", "dismiss"]


@fact_type("supply.meter-removed/1")
class MeterRemoved(Fact, frozen=True, kw_only=True):
    """A meter measures the supply point until `removed_at`; its own register then stood at `closing_milliwh`.

    None where nobody could read it: what it used since its last reading is then billed to nobody, and says so.
    """

    supply: str
    meter: str
    removed_at: Instant
    closing_milliwh: int | None = None


@fact_type("supply.multiplier-changed/1")
class MultiplierChanged(Fact, frozen=True, kw_only=True):
    """From `effective_from`, when the meter's own register stood at `register_milliwh`, it counts so many times.

    `multiplier` is a number or a fraction as text (`40`, `200/3`), of the current and voltage transformers together.
    """

    supply: str
    meter: str
    effective_from: Instant
    multiplier: str
    register_milliwh: int


@fact_type("supply.vacated/1")
class SupplyVacated(Fact, frozen=True, kw_only=True):
    """Until `vacated_at` the account paid for the supply point; from then on the landlord's does.

    `closing_milliwh` is the meter's own register then, None where it was not read: usage is apportioned there.
    `landlord` is whom the settings of the supply point or of its site named for that instant.
    """

    supply: str
    account: str
    landlord: str
    vacated_at: Instant
    closing_milliwh: int | None = None


@fact_type("supply.landlord-assigned/1")
class LandlordAssigned(Fact, frozen=True, kw_only=True):
    """From `effective_from` this account pays for the supply point where nobody occupies it."""

    supply: str
    account: str
    effective_from: Instant


@fact_type("supply.concentrator-changed/1")
class ConcentratorChanged(Fact, frozen=True, kw_only=True):
    """The supply point is read through another concentrator, in another partition, from here in the ledger on."""

    supply: str
    concentrator: str
    before: str


@fact_type("supply.commissioned/1")
class SupplyCommissioned(Fact, frozen=True, kw_only=True):
    """A meter was walked through its commissioning where it hangs: serial, reading, trip with load falling, close.

    `passed` says whether it came through; the newest result counts, and a meter installed later needs its own.
    `relay` tells what was switched: `tripped`, `none` where the meter has no relay, `protected` where the supply must
    not be cut. `load_before_w` and `load_open_w` are the power with the relay closed and open, None where it was
    not measured. `operator` is an opaque id, `failed` the step that failed, empty where all passed.
    """

    supply: str
    meter: str
    commissioned_at: Instant
    operator: str
    passed: bool
    register_milliwh: int | None = None
    relay: CommissionedRelay
    load_before_w: int | None = None
    load_open_w: int | None = None
    failed: str = ""


@fact_type("supply.hold-resolved/1")
class HoldResolved(Fact, frozen=True, kw_only=True):
    """An operator has decided on a held reading; what the reading said is repeated, so that it can be settled.

    `import_milliwh` is the register as it counts for the supply point, or the interval's energy; `started_at` is the
    interval's start, None for a register. `operator` is an opaque id, `reason` a code: no personal data.
    """

    supply: str
    meter: str
    reading: UUID
    resolution: Resolution
    operator: str
    reason: str
    read_at: Instant
    started_at: Instant | None = None
    import_milliwh: int
    quality: str = "measured"
    profile: str = ""
    raw: str = ""
