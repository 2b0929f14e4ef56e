"""Reading `[[charges]]` of a tariff file: one function per kind."""

from collections.abc import Callable
from decimal import Decimal
from typing import cast

from ledger.rating.components import (
    ALWAYS,
    Block,
    BlockCharge,
    CapacityCharge,
    Charge,
    DailyCharge,
    DemandCharge,
    FlatCharge,
    Mode,
    TimeOfUseCharge,
    Unit,
    Window,
)
from ledger.rating.document import Reader, Table
from ledger.values.energy import kwh_from_milliwh

_ENERGY_PRICES: dict[str, Unit] = {
    "price_per_kwh": "kWh",
    "price_per_kvarh": "kvarh",
    "price_per_kvah": "kVAh",
}
_UNITS = ("kWh", "kvarh", "kVAh")
_BASIC = {"component", "kind"}
# Demand is measured over quarters, halves and full hours, by local habit.
_INTERVALS_MIN = (0, 5, 10, 15, 20, 30, 60)


def read_charge(reader: Reader, row: Table, place: str) -> Charge:
    """Read one [[charges]] table by its kind."""
    kind = reader.choice(row, "kind", place, list(_KINDS))
    return _KINDS[kind](reader, row, place)


def _flat(reader: Reader, row: Table, place: str) -> Charge:
    reader.only(row, place, _BASIC | {"periods", *_ENERGY_PRICES})
    keys = [key for key in _ENERGY_PRICES if key in row]
    if len(keys) > 1:
        reader.wrong(f"{place} has {' and '.join(keys)}; give one of them, and another charge for the other")
    key = keys[0] if keys else "price_per_kwh"
    price = reader.decimal(row, key, place)
    periods = reader.names(row, "periods", place)
    return FlatCharge(reader.component(row, place), price, _ENERGY_PRICES[key], periods)


def _time_of_use(reader: Reader, row: Table, place: str) -> Charge:
    reader.only(row, place, _BASIC | {"prices", "unit"})
    unit = reader.choice(row, "unit", place, _UNITS, "kWh")
    return TimeOfUseCharge(reader.component(row, place), reader.prices(row, "prices", place), cast(Unit, unit))


def _blocks(reader: Reader, row: Table, place: str) -> Charge:
    reader.only(row, place, _BASIC | {"window", "anchor", "mode", "periods", "blocks"})
    window = reader.choice(row, "window", place, ("month", "year", "day"), "month")
    mode = reader.choice(row, "mode", place, ("cumulative", "volume"), "cumulative")
    if "anchor" in row and window != "year":
        reader.wrong(f'{place}.anchor is for blocks per year; leave it out or give window = "year"')
    anchor = reader.month_day(row, "anchor", place, "01-01")
    if anchor == (2, 29):
        reader.wrong(f"{place}.anchor is '02-29', which most years lack; use 03-01")
    rows = reader.tables(row, "blocks", within=place)
    blocks = tuple(_block(reader, table, at, at == rows[-1][0]) for at, table in rows)
    if not blocks:
        reader.wrong(f"{place}.blocks: there is none; add at least one [[charges.blocks]] table")
    _check_ascending(reader, blocks, place)
    if mode == "volume" and (window == "year" or any(set(block.prices) != {ALWAYS} for block in blocks)):
        reader.wrong(f'{place}.mode is "volume"; it knows blocks per month or day with one price each only')
    periods = reader.names(row, "periods", place)
    component = reader.component(row, place)
    return BlockCharge(component, blocks, cast(Window, window), anchor, cast(Mode, mode), periods)


def _block(reader: Reader, row: Table, place: str, is_last: bool) -> Block:
    reader.only(row, place, {"up_to_kwh", "price_per_kwh", "prices", "entry_fee"})
    if is_last and "up_to_kwh" in row:
        reader.wrong(f"{place}.up_to_kwh: the last block has no end; leave it out, or add a block for what is beyond")
    if "prices" in row and "price_per_kwh" in row:
        reader.wrong(f"{place} has price_per_kwh and prices; give one of them")
    if "prices" in row:
        prices = reader.prices(row, "prices", place)
    else:
        prices = {ALWAYS: reader.decimal(row, "price_per_kwh", place)}
    up_to = None if is_last else reader.milliwh(row, "up_to_kwh", place)
    return Block(up_to, prices, reader.decimal(row, "entry_fee", place, Decimal(0)))


def _check_ascending(reader: Reader, blocks: tuple[Block, ...], place: str) -> None:
    below = 0
    for number, block in enumerate(blocks, 1):
        if block.up_to_milliwh is not None:
            if block.up_to_milliwh <= below:
                reader.wrong(
                    f"{place}.blocks[{number}].up_to_kwh does not ascend: {_kwh(block.up_to_milliwh)} after"
                    f" {_kwh(below)}; put the blocks in rising order"
                )
            below = block.up_to_milliwh
    kinds = {frozenset(block.prices) for block in blocks}
    if len(kinds) > 1:
        reader.wrong(f"{place}.blocks price different periods; give every block the same ones")


def _daily(reader: Reader, row: Table, place: str) -> Charge:
    reader.only(row, place, _BASIC | {"price_per_day"})
    return DailyCharge(reader.component(row, place), reader.decimal(row, "price_per_day", place))


def _per_kw(reader: Reader, row: Table, place: str) -> Charge:
    reader.only(row, place, _BASIC | {"price_per_kw_month"})
    return CapacityCharge(reader.component(row, place), reader.decimal(row, "price_per_kw_month", place))


def _demand(reader: Reader, row: Table, place: str) -> Charge:
    reader.only(row, place, _BASIC | {"price_per_kw", "interval_min", "periods"})
    price = reader.decimal(row, "price_per_kw", place)
    interval_min = reader.whole(row, "interval_min", place, _INTERVALS_MIN, 0)
    return DemandCharge(reader.component(row, place), price, interval_min, reader.names(row, "periods", place))


def _kwh(milliwh: int) -> str:
    return f"{kwh_from_milliwh(milliwh).normalize():f} kWh"


_KINDS: dict[str, Callable[[Reader, Table, str], Charge]] = {
    "flat": _flat,
    "time-of-use": _time_of_use,
    "blocks": _blocks,
    "daily": _daily,
    "per-kw": _per_kw,
    "demand": _demand,
}
