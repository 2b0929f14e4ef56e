"""Examples of the facts of a supply point that is billed by token."""

from ledger.domain.event import Fact
from ledger.domain.meter import MeterState
from ledger.domain.postings import debit_postings
from ledger.domain.token_billing import BilledByToken
from ledger.domain.vending import EnergyVended, TokenIssued, no_message
from ledger.rating.lines import Counters, Line
from tests.ledger.builders import MOVED_IN, minutes

LINES = [
    Line("energy", "5", "kWh", "0.617", 3_085_000, "flat", 1, rule="energy used"),
    Line("vat", "3.085", "%", "13", 401_050, "flat", 1, tax=True, rule="13% of energy"),
]
STATE = MeterState(
    meter="room-1-m",
    account="room-1-a",
    billed_to=MOVED_IN,
    register_milliwh=100_000_000,
    counters=Counters("2026-03", 6_000_000),
    token_count=12,
)
TOKEN_FACTS: list[Fact] = [
    BilledByToken(supply="room-1", unit_milliwh=100_000, size="standard", operator="ana", recorded_at=MOVED_IN),
    EnergyVended(
        supply="room-1",
        account="room-1-a",
        meter="room-1-m",
        count=12,
        units=50,
        unit_milliwh=100_000,
        usage_milliwh=5_000_000,
        vended_at=minutes(15),
        before=Counters("2026-03", 1_000_000),
        lines=LINES,
        amount_micros=3_486_050,
        postings=debit_postings(account="room-1-a", lines=LINES),
        operator="ana",
        key_hash="ab" * 32,
        source=no_message(minutes(15)),
        state=STATE,
        occupancy=1,
        recorded_at=minutes(15),
    ),
    TokenIssued(
        supply="room-1",
        meter="room-1-m",
        kind="set",
        count=13,
        units=20,
        reason="meter-replaced",
        operator="ana",
        key_hash="ab" * 32,
        source=no_message(minutes(16)),
        state=STATE,
        recorded_at=minutes(16),
    ),
]
