"""Meters that read back another serial than their own: what they say is held, and the relay stays as it is (pure).

A meter that was swapped, or wired to its neighbour's address, measures somebody else's usage, and an order to it
would cut somebody else off.
"""

from typing import TYPE_CHECKING

import msgspec

from ledger.domain.judging import Bad
from ledger.domain.meter_life import SerialConfirmed

if TYPE_CHECKING:
    from ledger.domain.evidence import Evidence
    from ledger.domain.metering import Taker


def is_own(taker: "Taker", evidence: "Evidence", serial: str) -> bool:
    """Tell whether a serial that was read back is the meter's own; draft what follows where that is news.

    Leading zeros count for nothing: devices pad their numbers to the width of a register.
    """
    metering, meter = taker.metering, taker.meter.meter
    if serial.lstrip("0") != meter.lstrip("0"):
        if metering.state.read_back == serial:
            metering.held += 1
            metering.is_seen_dirty = True
            return False
        bad = Bad("crossed-meter", f"the meter at {meter}'s address reads back serial {serial}")
        taker.append_hold(evidence, bad, msgspec.structs.replace(metering.state, read_back=serial))
        return False
    if metering.state.read_back:
        after = msgspec.structs.replace(metering.state, read_back="")
        taker.append(
            SerialConfirmed(
                supply=taker.supply.code,
                meter=meter,
                read_at=evidence.read_at,
                source=taker.source,
                state=after,
                recorded_at=taker.draft.recorded_at,
            ),
            after,
        )
    return True
