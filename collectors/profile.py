"""Device profiles: a meter is a reviewable TOML file that cites its source."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from collectors.errors import BadFile
from collectors.tables import Table, read_table

# Words that each kind of number takes.
KINDS = {"u16": 1, "s16": 1, "u32": 2, "bcd48": 3}
_FOLDER = "profiles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Where a number lies: 0-based address and kind; words are high word first."""

    name: str
    address: int
    kind: str
    confidence: str

    @property
    def word_count(self) -> int:
        """How many 16-bit words the number takes."""
        return KINDS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRegister(Register):
    """A cumulative register of import energy: it rises until it rolls over to 0 at `modulus_counts`."""

    milliwh_per_count: int
    modulus_counts: int

    @property
    def modulus_milliwh(self) -> int:
        """The energy at which the register starts again from 0."""
        return self.modulus_counts * self.milliwh_per_count


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRegister(Register):
    """A momentary measurement: `counts_per_unit` counts make one `unit`."""

    unit: str
    counts_per_unit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """How a relay is switched (words written to `address`) and how its state is read back (a masked word)."""

    address: int
    open_words: tuple[int, ...]
    close_words: tuple[int, ...]
    state_address: int
    state_mask: int
    state_open_value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One model of meter: its registers, and how to speak to it."""

    name: str
    model: str
    source: str
    read_function: int
    write_function: int
    words_per_read: int
    total: EnergyRegister
    periods: tuple[EnergyRegister, ...]
    measures: tuple[MeasureRegister, ...]
    number: Register | None
    relay: Relay | None

    @property
    def energy_registers(self) -> tuple[EnergyRegister, ...]:
        """The total and the time-of-use registers, in the order of their addresses."""
        return tuple(sorted((self.total, *self.periods), key=lambda register: register.address))


def profile_names() -> tuple[str, ...]:
    """Return the names of all profiles that come with Wattledger."""
    folder = files("collectors").joinpath(_FOLDER)
    return tuple(sorted(e.name.removesuffix(".toml") for e in folder.iterdir() if e.name.endswith(".toml")))


@cache
def load_profile(name: str) -> Profile:
    """Load a profile by name; raises BadFile, naming every wrong key, or the names there are."""
    if name not in profile_names():
        raise BadFile(path=f"profile {name!r}", errors=["is not known; use one of " + ", ".join(profile_names())])
    text = files("collectors").joinpath(_FOLDER, f"{name}.toml").read_text(encoding="utf-8")
    return parse_profile(path=f"collectors/{_FOLDER}/{name}.toml", text=text)


def parse_profile(*, path: str, text: str) -> Profile:
    """Parse a profile's TOML; raises BadFile with every error found in it."""
    root = read_table(path=path, text=text)
    modbus = root.table("modbus")
    energy = root.table("energy")
    measures = root.table("measure") if root.has("measure") else None
    profile = Profile(
        name=root.text("name"),
        model=root.text("model"),
        source=root.text("source", remedy="cite the manual or map that the registers come from"),
        read_function=modbus.integer("read_function", minimum=3, maximum=4),
        write_function=modbus.integer("write_function", minimum=16, maximum=16),
        words_per_read=modbus.integer("words_per_read", minimum=2, maximum=125),
        total=_energy_register(energy.table("total"), name="total"),
        periods=tuple(_energy_register(energy.table(name), name=name) for name in energy.names() if name != "total"),
        measures=tuple(_measure(measures.table(name), name=name) for name in measures.names()) if measures else (),
        number=_number(root.table("number")) if root.has("number") else None,
        relay=_relay(root.table("relay")) if root.has("relay") else None,
    )
    root.check()
    return profile


def _energy_register(table: Table, *, name: str) -> EnergyRegister:
    return EnergyRegister(
        name=name,
        address=table.integer("address", minimum=0, maximum=0xFFFE),
        kind=table.choice("kind", among=("u32",)),
        confidence=table.text("confidence", remedy="say 2S or 1S: how many independent sources agree"),
        milliwh_per_count=table.integer("milliwh_per_count", minimum=1, maximum=10**12),
        modulus_counts=table.integer("modulus_counts", minimum=1, maximum=2**32),
    )


def _measure(table: Table, *, name: str) -> MeasureRegister:
    return MeasureRegister(
        name=name,
        address=table.integer("address", minimum=0, maximum=0xFFFF),
        kind=table.choice("kind", among=("u16", "s16")),
        confidence=table.text("confidence"),
        unit=table.text("unit"),
        counts_per_unit=table.integer("counts_per_unit", minimum=1, maximum=10**6),
    )


def _number(table: Table) -> Register:
    return Register(
        name="number",
        address=table.integer("address", minimum=0, maximum=0xFFFD),
        kind=table.choice("kind", among=("bcd48",)),
        confidence=table.text("confidence"),
    )


def _relay(table: Table) -> Relay:
    state = table.table("state")
    table.text("confidence")
    state.text("confidence")
    relay = Relay(
        address=table.integer("address", minimum=0, maximum=0xFFFE),
        open_words=table.integers("open_words", maximum=0xFFFF),
        close_words=table.integers("close_words", maximum=0xFFFF),
        state_address=state.integer("address", minimum=0, maximum=0xFFFF),
        state_mask=state.integer("mask", minimum=1, maximum=0xFFFF),
        state_open_value=state.integer("open_value", minimum=0, maximum=0xFFFF),
    )
    if relay.state_open_value & ~relay.state_mask:
        state.wrong(
            "open_value", f"{relay.state_open_value:#x} has bits outside mask {relay.state_mask:#x}; widen it"
        )
    if relay.open_words == relay.close_words:
        table.wrong("close_words", "are the same as open_words; a relay that cannot be told apart is never switched")
    return relay
