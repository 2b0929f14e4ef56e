"""Says that a supply point is billed by token, before anything was billed there; for good."""

from collections.abc import Sequence
from datetime import datetime
from typing import get_args

from psycopg import Cursor
from psycopg.rows import TupleRow

from ledger.domain.event import Event
from ledger.domain.token_billing import BilledByToken, TokenSize
from ledger.store.application import Ledger
from ledger.usecases.attempt import appended
from ledger.usecases.codes import checked_code
from ledger.usecases.supply_life import supply_of
from ledger.values.errors import InvalidValue, Refused
from ledger.values.identity import meter_stream, supply_stream

# A unit below a watt-hour is finer than any register; one above this is more than a household uses in a month.
_LEAST_MILLIWH, _MOST_MILLIWH = 1_000, 1_000_000_000
_BEGUN = "SELECT 1 FROM ledger.events WHERE originator_id = %s LIMIT 1"


def bill_by_token(
    ledger: Ledger, *, supply: str, unit_milliwh: int, size: TokenSize, operator: str, now: datetime
) -> int:
    """Bill a supply point by token and return the position, 0 where it is so already.

    An OpenPAYGO unit is `unit_milliwh` of energy on its meter. Raises Refused where readings were billed there, or
    held: its meter stream has another writer then; register another supply point for the meter.
    """
    checked_code(operator, what="operator")
    if size not in get_args(TokenSize):
        raise InvalidValue(f"size {size!r} is none; use {' or '.join(get_args(TokenSize))}")
    if unit_milliwh % 1_000 or not _LEAST_MILLIWH <= unit_milliwh <= _MOST_MILLIWH:
        raise InvalidValue(f"a unit of {unit_milliwh} mWh is none; give whole watt-hours, from 1 to 1000000")

    def decide() -> Sequence[Event]:
        state = supply_of(ledger, supply)
        if state.meter is None or state.meter.measures != "register":
            raise Refused(
                f"supply point {supply!r} has no meter with a register; install one that takes tokens first"
            )
        if state.tokens is not None:
            if (state.tokens.unit_milliwh, state.tokens.size) == (unit_milliwh, size):
                return []
            raise Refused(
                f"supply point {supply!r} is billed by {state.tokens.size} tokens of"
                f" {state.tokens.unit_milliwh // 1_000} Wh a unit already; what was issued says so"
            )
        fact = BilledByToken(supply=supply, unit_milliwh=unit_milliwh, size=size, operator=operator, recorded_at=now)
        return [Event(supply_stream(supply), state.version + 1, fact)]

    def nothing_billed(cursor: Cursor[TupleRow]) -> None:
        # Inside the gate: a batch that was priced before this is refused there, and prices anew.
        if cursor.execute(_BEGUN, (meter_stream(supply),)).fetchone() is not None:
            raise Refused(
                f"readings of {supply!r} were billed already, so it stays with readings; register another supply"
                " point for the meter that takes tokens"
            )

    return appended(ledger, decide, guard=nothing_billed)
