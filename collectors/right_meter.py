"""Whether the meter that answers is the one an order is for: asked before it is switched, never taken for granted.

Two meters exchanged in the field answer each at the other's address; an order would switch somebody else's supply.
"""

import structlog

from collectors.daily_check import same_serial
from collectors.decode import digits
from collectors.errors import DecodeError, RequestFailed
from collectors.modbus import Bus
from collectors.site import Meter

log = structlog.get_logger(__name__)


async def wrong_serial(bus: Bus, meter: Meter) -> str | None:
    """Return the serial that a meter tells where it is not its own; None where it is, or where it cannot be told.

    A meter that does not tell it now is switched all the same: what it cannot tell it may never have been able to,
    and who it is was compared at its daily check.
    """
    quantity = meter.profile.serial
    if quantity is None or not quantity.checked:
        return None
    try:
        words = await bus.read(
            unit=meter.unit,
            function=quantity.function,
            address=quantity.address,
            count=quantity.word_count,
            urgent=True,
            timeout_s=meter.request_timeout_s,
        )
        told = digits(words, quantity=quantity, layout=meter.profile.layout)
    except (RequestFailed, DecodeError) as error:
        log.warning("serial not told before an order", meter=meter.serial, error=str(error))
        return None
    return None if same_serial(told, meter.serial) else told
