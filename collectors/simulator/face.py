"""What a simulated meter shows on the bus: the DDSY1352's map written by hand, any other's served from its profile.

The hand-written map shares nothing with the profile that the collector reads by, so that the two cannot share one
mistake. For the other meters tests hold hand-written frames against the profiles.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

from collectors.decode import milliwh, words_of
from collectors.number_kinds import FLOATS, counts_of
from collectors.profile import EnergyRegister, Profile, Quantity
from collectors.simulator import meter as ddsy1352
from collectors.simulator.meter import MILLIWH_PER_COUNT, SimulatedMeter

HAND_WRITTEN = "acrel_ddsy1352"
_CREDIT_COUNTS = 1234


class Face(Protocol):
    """A kind of meter, as a Modbus master sees it."""

    @property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """First address and number of words of each block; all other addresses answer exception 2."""

    def answers(self, function: int, address: int) -> bool:
        """Tell whether a function is known at an address."""

    def words(self, meter: SimulatedMeter) -> dict[int, int]:
        """Return the words that it shows now, by address; those of a block that are not there are 0."""

    def write(self, meter: SimulatedMeter, address: int, words: tuple[int, ...]) -> str:
        """Take in written words; returns "", or what is wrong with them: "address" or "value"."""

    def shown_milliwh(self, meter: SimulatedMeter) -> int:
        """Return the energy that its total register shows."""

    def problem_with(self, serial: str) -> str:
        """Say why a meter of this kind cannot have a serial, "" where it can."""


def face_of(profile: Profile) -> Face:
    """Return the face of a profile's meters."""
    return HandWrittenFace() if profile.name == HAND_WRITTEN else ProfileFace(profile)


class HandWrittenFace:
    """The Acrel DDSY1352."""

    blocks = (
        (ddsy1352.ENERGY, 10),
        (ddsy1352.MEASURES, 3),
        (ddsy1352.RUN_STATE, 1),
        (ddsy1352.NUMBER, 3),
        (ddsy1352.PREPAY, 11),
        (ddsy1352.CONTROL, 2),
        (ddsy1352.MAX_POWER, 1),
    )

    def answers(self, function: int, address: int) -> bool:  # noqa: ARG002 - one map for all
        """Tell whether a function is known."""
        return function in (3, 16)

    def words(self, meter: SimulatedMeter) -> dict[int, int]:
        """Return the words that it shows now."""
        return dict(enumerate(meter.registers()))

    def write(self, meter: SimulatedMeter, address: int, words: tuple[int, ...]) -> str:
        """Switch the relay; nothing else can be written."""
        if (address, len(words)) != (ddsy1352.CONTROL, 2):
            return "address"
        return "" if meter.write_control(words[0], words[1]) else "value"

    def shown_milliwh(self, meter: SimulatedMeter) -> int:
        """Return whole counts of 0.01 kWh."""
        return meter.register_counts * MILLIWH_PER_COUNT

    def problem_with(self, serial: str) -> str:
        """Say why a meter of this kind cannot have a serial."""
        is_fit = len(serial) == 12 and serial.isascii() and serial.isdecimal()
        return "" if is_fit else "is not 12 digits, which a DDSY1352's number has"


class ProfileFace:
    """Any meter, served from its profile."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        spans = [(quantity.address, quantity.word_count, quantity.function) for quantity in profile.quantities]
        spans += [(log.address, log.stride_words * log.records, log.function) for log in profile.logs]
        if profile.clock is not None:
            spans.append((profile.clock.address, profile.clock.word_count, profile.clock.function))
        if profile.relay is not None:
            spans += [(profile.relay.address, len(profile.relay.open_words), profile.read_function)]
            spans += [(profile.relay.state_address, 1, profile.read_function)]
        self._functions: dict[int, set[int]] = {}
        for address, count, function in spans:
            for word in range(address, address + count):
                self._functions.setdefault(word, set()).add(function)
        self.blocks = _runs(self._functions)

    def answers(self, function: int, address: int) -> bool:
        """Tell whether a function is known at an address."""
        return function == self._profile.write_function or function in self._functions.get(address, ())

    def words(self, meter: SimulatedMeter) -> dict[int, int]:
        """Return the words that it shows now."""
        profile = self._profile
        shown: dict[int, int] = {}
        for quantity in profile.quantities:
            counts = self._counts(quantity, meter)
            words = words_of(counts, kind=quantity.kind, layout=profile.layout)
            shown |= {quantity.address + at: word for at, word in enumerate(words)}
        for log in profile.logs:
            shown |= {log.address + at: 0x1000 + at for at in range(log.stride_words)}
        if profile.clock is not None:
            shown |= {profile.clock.address + at: word for at, word in enumerate(_clock_words(meter))}
        if profile.relay is not None:
            state = profile.relay.state_open_value if meter.relay_open else profile.relay.state_closed_value
            shown[profile.relay.state_address] = (
                (state & 0xFF) << 8 | state >> 8 if profile.layout.low_byte_first else state
            )
        return shown

    def write(self, meter: SimulatedMeter, address: int, words: tuple[int, ...]) -> str:
        """Switch the relay; nothing else can be written."""
        relay = self._profile.relay
        if relay is None or (address, len(words)) != (relay.address, len(relay.open_words)):
            return "address"
        if words not in (relay.open_words, relay.close_words):
            return "value"
        meter.write_control(1, 1 if words == relay.open_words else 0)
        return ""

    def shown_milliwh(self, meter: SimulatedMeter) -> int:
        """Return the energy that its total register shows, by the register's own step."""
        total, layout = self._profile.total, self._profile.layout
        return milliwh(
            words_of(self._counts(total, meter), kind=total.kind, layout=layout), register=total, layout=layout
        )

    def problem_with(self, serial: str) -> str:
        """Say why a meter of this kind cannot have a serial."""
        quantity = self._profile.serial
        if quantity is None:
            return ""
        largest = counts_of(quantity.kind) - 1
        is_fit = serial.isascii() and serial.isdecimal() and int(serial) <= largest
        return "" if is_fit else f"is not a number up to {largest}, as its {quantity.kind} register holds"

    def _counts(self, quantity: Quantity, meter: SimulatedMeter) -> int | Fraction:
        if isinstance(quantity, EnergyRegister):
            counts = Fraction(_energy_milliwh(quantity, self._profile, meter)) / quantity.milliwh_per_count
        elif quantity is self._profile.serial:
            return int(meter.serial) if meter.serial.isdecimal() else 0
        elif quantity in self._profile.credits or quantity in self._profile.multipliers:
            return _CREDIT_COUNTS if quantity in self._profile.credits else 1
        else:
            counts = _measured(quantity, meter) / quantity.scale
        if quantity.kind in FLOATS:
            return counts
        return int(counts) % counts_of(quantity.kind) if counts >= 0 else int(counts)


def _energy_milliwh(register: EnergyRegister, profile: Profile, meter: SimulatedMeter) -> int:
    if register is profile.total:
        return meter.total_milliwh
    if register is profile.reactive:
        return meter.total_milliwh * 3 // 10
    if register is profile.apparent:
        return meter.total_milliwh * 11 // 10
    return meter.periods_milliwh.get(register.name, 0)


_MEASURES: dict[str, Callable[[SimulatedMeter], Fraction]] = {
    "power": lambda meter: Fraction(meter.power_w()),
    "demand": lambda meter: Fraction(meter.power_w()),
    "voltage": lambda meter: Fraction(meter.household.voltage_decivolts(meter.at), 10),
    "current": lambda meter: Fraction(meter.power_w() * 10, meter.household.voltage_decivolts(meter.at)),
    "both_ways": lambda meter: Fraction(meter.total_milliwh, 1000),
    "total": lambda meter: Fraction(meter.total_milliwh, 1000),
}


def _measured(quantity: Quantity, meter: SimulatedMeter) -> Fraction:
    """Return a measurement in the quantity's unit; what a household does not have, such as export, is 0."""
    measure = _MEASURES.get(quantity.name)
    if measure is None:
        return Fraction(0)
    return measure(meter) / 1000 if quantity.unit.startswith("k") else measure(meter)


def _clock_words(meter: SimulatedMeter) -> tuple[int, ...]:
    text = meter.at.strftime("%y%m%d%H%M%S")
    return tuple(int(text[at : at + 4], 16) for at in (0, 4, 8))


def _runs(addresses: dict[int, set[int]]) -> tuple[tuple[int, int], ...]:
    """Return contiguous runs of addresses as first address and number of words."""
    runs: list[tuple[int, int]] = []
    for address in sorted(addresses):
        if runs and address == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((address, 1))
    return tuple(runs)
