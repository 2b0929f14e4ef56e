"""Device profiles: a meter is a reviewable TOML file that cites its source. docs/profiles.md tells its keys."""

from dataclasses import dataclass
from fractions import Fraction

from collectors.number_kinds import KINDS, Layout

# What the ledger keeps: a register that rolls over at or beyond this never does in a meter's life.
_LARGEST_MILLIWH = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number that a meter shows: where it lies (0-based address), and `scale`, the units that one count is.

    `not_available` holds the words, in hex and high first, by which the meter says that it has no such number;
    `multiplied_by` names multiplier registers that its number is to be multiplied with.
    """

    name: str
    address: int
    kind: str
    confidence: str
    function: int
    unit: str = ""
    scale: Fraction = Fraction(1)
    multiplied_by: tuple[str, ...] = ()
    not_available: frozenset[str] = frozenset()

    @property
    def word_count(self) -> int:
        """How many 16-bit words the number takes."""
        return KINDS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRegister(Quantity):
    """A cumulative register: it rises until it rolls over to 0 at `modulus_counts` (0: it never does).

    `milliwh_per_count` is the milliwatt-hours in one count (millivarh, millivolt-ampere-hours for those energies).
    """

    milliwh_per_count: Fraction | int
    modulus_counts: int
    resolution_milliwh: int

    @property
    def modulus_milliwh(self) -> int:
        """The energy at which the register starts again from 0; 0 where it never does, or where one cannot know."""
        if self.multiplied_by:
            return 0
        modulus_milliwh = int(self.modulus_counts * self.milliwh_per_count)
        return modulus_milliwh if modulus_milliwh < _LARGEST_MILLIWH else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Serial(Quantity):
    """Where a meter keeps its own number; `checked` says whether it is compared with the site file's."""

    checked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A meter's own clock: never trusted, its drift is reported.

    `format` is `bcd-ymdhms` (three words, two BCD digits each of year, month, day, hour, minute, second, in a zone
    `utc_offset_minutes` ahead of UTC) or `unix-u32` (seconds since 1970 in UTC).
    """

    address: int
    format: str
    utc_offset_minutes: int
    function: int
    confidence: str

    @property
    def word_count(self) -> int:
        """How many words the clock takes."""
        return 2 if self.format == "unix-u32" else 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLog:
    """Records that a meter keeps one after another, such as recharges: published as raw words, never as money."""

    name: str
    address: int
    stride_words: int
    records: int
    function: int
    confidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """How a relay is switched (words written to `address`) and how its state is read back (a masked word).

    The words to write are in the device's own order already; the state word is turned where the low byte comes first.
    """

    address: int
    open_words: tuple[int, ...]
    close_words: tuple[int, ...]
    state_address: int
    state_mask: int
    state_open_value: int
    state_closed_value: int
    low_byte_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One model of meter: its registers, and how to speak to it."""

    name: str
    model: str
    source: str
    read_function: int
    write_function: int
    words_per_read: int
    layout: Layout
    max_power_w: int | None
    total: EnergyRegister
    periods: tuple[EnergyRegister, ...]
    reactive: EnergyRegister | None
    apparent: EnergyRegister | None
    demand: Quantity | None
    measures: tuple[Quantity, ...]
    credits: tuple[Quantity, ...]
    logs: tuple[RecordLog, ...]
    multipliers: tuple[Quantity, ...]
    serial: Serial | None
    clock: Clock | None
    relay: Relay | None

    @property
    def energy_registers(self) -> tuple[EnergyRegister, ...]:
        """The total and the time-of-use registers, in the order of their addresses."""
        return tuple(sorted((self.total, *self.periods), key=lambda register: register.address))

    @property
    def swept(self) -> tuple[Quantity, ...]:
        """What every sweep reads, in the order of their addresses."""
        others = (self.reactive, self.apparent, self.demand)
        needed = [*self.energy_registers, *(other for other in others if other is not None), *self.multipliers]
        return tuple(sorted(needed, key=lambda quantity: (quantity.function, quantity.address)))

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Every single number that the profile knows, in the order of their addresses."""
        rest = (*self.measures, *self.credits, *((self.serial,) if self.serial else ()))
        return tuple(sorted((*self.swept, *rest), key=lambda quantity: (quantity.function, quantity.address)))
