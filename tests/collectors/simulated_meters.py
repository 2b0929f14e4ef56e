"""Meters of any profile, to be put behind whatever line a test is about."""

from datetime import UTC, datetime

from pymodbus.simulator import SimDevice

from collectors.profile_library import load_profile
from collectors.simulator.concentrator import device_of
from collectors.simulator.face import face_of
from collectors.simulator.load import Household
from collectors.simulator.meter import SimulatedMeter
from tests.collectors.builders import serial_of

EVENING = datetime(2026, 3, 2, 19, 0, tzinfo=UTC)


def a_meter(number: int, *, total_milliwh: int = 1_000_030_000) -> SimulatedMeter:
    """Make a meter of supply `number` with that unit, whose energy stands still."""
    return SimulatedMeter(
        serial=serial_of(number),
        unit=number,
        household=Household(seed=1, serial=serial_of(number)),
        at=EVENING,
        opening_milliwh=0,
        total_milliwh=total_milliwh,
    )


def devices(*meters: SimulatedMeter, profile: str = "acrel_ddsy1352") -> list[SimDevice]:
    """Make the devices that answer for these meters."""
    return [device_of(meter, face_of(load_profile(profile)), lambda: None) for meter in meters]
