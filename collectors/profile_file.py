"""Reading a profile's TOML, all errors at once. What each key means is told in docs/profiles.md."""

from collectors.errors import BadFile
from collectors.number_kinds import BCD, FLOATS, KINDS, UNSIGNED, Layout, counts_of
from collectors.profile import Clock, EnergyRegister, Profile, Quantity, RecordLog, Relay, Serial
from collectors.profile_relay import read_relay
from collectors.tables import Table, read_table

# Thousandths of the ledger's units in one unit of a register.
ENERGY_UNITS = {"Wh": 1_000, "kWh": 1_000_000, "MWh": 1_000_000_000}
REACTIVE_UNITS = {"varh": 1_000, "kvarh": 1_000_000, "Mvarh": 1_000_000_000}
APPARENT_UNITS = {"VAh": 1_000, "kVAh": 1_000_000, "MVAh": 1_000_000_000}
_POWER_UNITS = ("W", "kW")
_ORDERS = ("high-first", "low-first")
_SOURCES = "say 2S or 1S (how many independent sources agree), or OURS for a reading of our own"


def parse_profile(*, path: str, text: str, variant: str = "") -> Profile:
    """Parse a profile's TOML, with one of its variants laid over it; raises BadFile with every error in it."""
    root = read_table(path=path, text=text)
    variants = _variants(root)
    if variant:
        if variant not in variants:
            raise BadFile(path=path, errors=[f"variant {variant!r} is not there; {_listed(variants)}"])
        root = root.overlaid(variants[variant])
        _variants(root)
    profile = _Reader(root).profile(variant)
    root.check()
    return profile


def check_profile(*, path: str, text: str) -> list[Profile]:
    """Parse a profile and each of its variants; raises BadFile with every error in the first that has any."""
    return [parse_profile(path=path, text=text, variant=name) for name in ("", *variant_names(path=path, text=text))]


def variant_names(*, path: str, text: str) -> tuple[str, ...]:
    """Return the names of a profile's variants; raises BadFile where the text is not TOML."""
    return tuple(_variants(read_table(path=path, text=text)))


def _variants(root: Table) -> dict[str, Table]:
    if not root.has("variant"):
        return {}
    tables = root.unchecked_table("variant")
    return {name: tables.unchecked_table(name) for name in tables.names()}


def _listed(names: dict[str, Table]) -> str:
    return "use one of " + ", ".join(names) if names else "this profile has none"


class _Reader:
    """Reads one profile's tables; what holds for all its quantities is read first."""

    def __init__(self, root: Table) -> None:
        self._root = root
        modbus = root.table("modbus")
        self._modbus = modbus
        self._function = modbus.integer("read_function", minimum=3, maximum=4)
        self._words_per_read = modbus.integer("words_per_read", minimum=4, maximum=125)
        self._layout = Layout(
            low_word_first=modbus.choice("word_order", among=_ORDERS, default=_ORDERS[0]) == "low-first",
            low_byte_first=modbus.choice("byte_order", among=_ORDERS, default=_ORDERS[0]) == "low-first",
        )
        self._multipliers = root.unchecked_table("multiplier").names() if root.has("multiplier") else ()

    def profile(self, variant: str) -> Profile:
        root = self._root
        name = root.text("name")
        profile = Profile(
            name=f"{name}/{variant}" if variant else name,
            model=root.text("model"),
            source=root.text("source", remedy="cite the manual or map that the registers come from"),
            read_function=self._function,
            write_function=self._modbus.integer("write_function", minimum=16, maximum=16, default=16),
            words_per_read=self._words_per_read,
            layout=self._layout,
            max_power_w=root.integer("max_power_w", minimum=1, maximum=10**9) if root.has("max_power_w") else None,
            total=self._energy(root.table("energy").table("total"), "total", ENERGY_UNITS),
            periods=tuple(self._energy(table, key, ENERGY_UNITS) for key, table in self._named("period")),
            reactive=self._optional_energy("reactive", REACTIVE_UNITS),
            apparent=self._optional_energy("apparent", APPARENT_UNITS),
            demand=self._demand(),
            measures=tuple(self._quantity(table, key) for key, table in self._named("measure")),
            credits=tuple(self._quantity(table, key) for key, table in self._named("credit")),
            logs=tuple(self._log(table, key) for key, table in self._named("log")),
            multipliers=tuple(self._quantity(table, key) for key, table in self._named("multiplier")),
            serial=self._serial(root.table("serial")) if root.has("serial") else None,
            clock=self._clock(root.table("clock")) if root.has("clock") else None,
            relay=self._relay(),
        )
        self._check_writes(profile)
        return profile

    def _named(self, key: str) -> list[tuple[str, Table]]:
        if not self._root.has(key):
            return []
        tables = self._root.table(key)
        return [(name, tables.table(name)) for name in tables.names()]

    def _optional_energy(self, key: str, units: dict[str, int]) -> EnergyRegister | None:
        return self._energy(self._root.table(key), key, units) if self._root.has(key) else None

    def _demand(self) -> Quantity | None:
        if not self._root.has("demand"):
            return None
        return self._quantity(self._root.table("demand"), "demand", units=_POWER_UNITS)

    def _function_of(self, table: Table) -> int:
        return table.integer("function", minimum=3, maximum=4, default=self._function)

    def _address(self, table: Table, words: int) -> int:
        return table.integer("address", minimum=0, maximum=0x1_0000 - words)

    def _quantity(
        self, table: Table, name: str, *, kinds: tuple[str, ...] = tuple(KINDS), units: tuple[str, ...] | None = None
    ) -> Quantity:
        kind = table.choice("kind", among=kinds)
        return Quantity(
            name=name,
            address=self._address(table, KINDS[kind]),
            kind=kind,
            confidence=table.text("confidence", remedy=_SOURCES),
            function=self._function_of(table),
            unit=table.text("unit", default="counts") if units is None else table.choice("unit", among=units),
            scale=table.fraction("scale", default="1"),
            multiplied_by=self._multiplied_by(table),
            not_available=self._not_available(table, kind),
        )

    def _energy(self, table: Table, name: str, units: dict[str, int]) -> EnergyRegister:
        plain = self._quantity(table, name, units=tuple(units))
        milliwh_per_count = plain.scale * units[plain.unit]
        is_float = plain.kind in FLOATS
        if not is_float and milliwh_per_count.denominator != 1:
            table.wrong(
                "scale", f"one count is finer than 0.001 {plain.unit.lstrip('kM')}; the ledger keeps no finer"
            )
        resolution = (
            table.fraction("resolution", remedy='write the register\'s coarsest step in its unit, such as "0.01"')
            if is_float
            else plain.scale
        )
        return EnergyRegister(
            name=name,
            address=plain.address,
            kind=plain.kind,
            confidence=plain.confidence,
            function=plain.function,
            unit=plain.unit,
            scale=plain.scale,
            multiplied_by=plain.multiplied_by,
            not_available=plain.not_available,
            milliwh_per_count=milliwh_per_count if is_float else int(milliwh_per_count),
            modulus_counts=self._modulus(table, plain.kind),
            resolution_milliwh=max(1, int(resolution * units[plain.unit])),
        )

    def _modulus(self, table: Table, kind: str) -> int:
        """Return where a register rolls over: by its width unless the file says earlier, never for a float."""
        if kind in FLOATS:
            if table.has("modulus_counts"):
                table.wrong("modulus_counts", "a float has none that is known; remove it")
            return 0
        return table.integer("modulus_counts", minimum=1, maximum=counts_of(kind), default=counts_of(kind))

    def _multiplied_by(self, table: Table) -> tuple[str, ...]:
        names = table.texts("multiplied_by")
        for name in names:
            if name not in self._multipliers:
                table.wrong("multiplied_by", f"{name!r} is no multiplier; add [multiplier.{name}] or remove it")
        return names

    def _not_available(self, table: Table, kind: str) -> frozenset[str]:
        digits = 4 * KINDS[kind]
        for code in table.texts("not_available"):
            if len(code) != digits or set(code) - set("0123456789abcdef"):
                table.wrong("not_available", f"{code!r} is not {digits} hex digits in lower case, as {kind} has")
        return frozenset(table.texts("not_available"))

    def _serial(self, table: Table) -> Serial:
        plain = self._quantity(table, "serial", kinds=(*BCD, *UNSIGNED))
        return Serial(
            name="serial",
            address=plain.address,
            kind=plain.kind,
            confidence=plain.confidence,
            function=plain.function,
            unit="digits",
            not_available=plain.not_available,
            checked=table.flag("checked", default=True),
        )

    def _clock(self, table: Table) -> Clock:
        clock_format = table.choice("format", among=("bcd-ymdhms", "unix-u32"))
        return Clock(
            address=self._address(table, 3),
            format=clock_format,
            utc_offset_minutes=table.integer("utc_offset_minutes", minimum=-840, maximum=840, default=0),
            function=self._function_of(table),
            confidence=table.text("confidence", remedy=_SOURCES),
        )

    def _log(self, table: Table, name: str) -> RecordLog:
        return RecordLog(
            name=name,
            address=self._address(table, 1),
            stride_words=table.integer("stride_words", minimum=1, maximum=self._words_per_read),
            records=table.integer("records", minimum=1, maximum=1000),
            function=self._function_of(table),
            confidence=table.text("confidence", remedy=_SOURCES),
        )

    def _relay(self) -> Relay | None:
        return read_relay(self._root.table("relay"), layout=self._layout) if self._root.has("relay") else None

    def _check_writes(self, profile: Profile) -> None:
        """Refuse a relay whose words would land on a register that counts: writing there may erase it."""
        if profile.relay is None:
            return
        written = range(profile.relay.address, profile.relay.address + len(profile.relay.open_words))
        for quantity in profile.swept:
            if set(written) & set(range(quantity.address, quantity.address + quantity.word_count)):
                self._root.wrong("relay.address", f"its words would overwrite {quantity.name}; correct the address")
