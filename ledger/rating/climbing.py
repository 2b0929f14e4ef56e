"""Climbing the ladders: an atom's energy rated block by block, with the fees of the blocks that it enters."""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from ledger.rating.compiled import CompiledTariff
from ledger.rating.components import BlockCharge
from ledger.rating.ladder import Ladder, block_of
from ledger.rating.lines import Atom
from ledger.rating.running import Running
from ledger.rating.words import Words, kwh

# Of annual windows: this year's and, for late usage, last year's.
_YEARS_KEPT = 2


class _Rung:
    """A ladder in the window of one atom: its thresholds, and how far up it the period is (None: not begun)."""

    __slots__ = ("is_counting", "key", "ladder", "position", "thresholds")

    def __init__(self, running: Running, ladder: Ladder, atom: Atom) -> None:
        day = atom.start.astimezone(running.compiled.days.zone).date() if ladder.window == "year" else None
        self.ladder = ladder
        self.key = ladder.component if day is None else ladder.year_key(day)
        self.thresholds = ladder.thresholds(atom.period, day)
        self.position = (running.positions if day is None else running.years).get(self.key)
        self.is_counting = ladder.counts(atom.time_of_use)


def open_ladders(running: Running, *, at: datetime) -> None:
    """Open the windows that an instant lies in: the first block's fee falls then, whether energy is used or not."""
    if running.compiled.ladders:
        climb(running, Atom(at, at, 0, running.counters.period))


def climb(running: Running, atom: Atom) -> None:
    """Rate an atom's energy block by block."""
    rungs = [_Rung(running, ladder, atom) for ladder in running.compiled.ladders]
    for rung in rungs:
        if rung.position is None:
            rung.position = 0
            _enter(running, rung, 0, is_opening=True)
    left = atom.energy_milliwh
    while True:
        steps = tuple((block_of(rung.thresholds, rung.position or 0), rung.thresholds) for rung in rungs)
        room = [
            rung.thresholds[block] - (rung.position or 0)
            for rung, (block, _) in zip(rungs, steps, strict=True)
            if rung.is_counting and block < len(rung.thresholds)
        ]
        energy = min(left, *room) if room else left
        if energy:
            cell = running.compiled.cell(atom.time_of_use, "kWh", steps)
            for rung, (block, _) in zip(rungs, steps, strict=True):
                if rung.is_counting:
                    _enter(running, rung, block)
            running.add(cell.vector, energy)
            running.write(cell.words, energy)
        for rung in rungs:
            if rung.is_counting:
                _advance(running, rung, energy)
        left -= energy
        if not left:
            break
    _remember(running, rungs)


def _enter(running: Running, rung: _Rung, block: int, *, is_opening: bool = False) -> None:
    """Charge the fee of a block on its first energy, and the first block's when the window opens."""
    thing = running.compiled.components[rung.ladder.index]
    if not isinstance(thing, BlockCharge) or rung.ladder.is_volume:
        return
    if not is_opening and (block == 0 or rung.position != rung.thresholds[block - 1]):
        return
    _fee(running, rung, thing, block, 1)


def _fee(running: Running, rung: _Rung, thing: BlockCharge, block: int, times: int) -> None:
    fee = thing.blocks[block].entry_fee
    if fee:
        index = rung.ladder.index
        compiled = running.compiled
        above = f", above {kwh(rung.thresholds[block - 1])} kWh" if block else ", at the period's opening"
        running.add(compiled.vector(index, Fraction(fee) * 1_000_000), times)
        words = _fee_words(compiled, thing, index, block, above)
        running.write((words,), times)


def _fee_words(compiled: CompiledTariff, thing: BlockCharge, index: int, block: int, above: str) -> Words:
    rule = compiled.with_rule(index, f"fee on entering block {block + 1}{above}")
    price = compiled.price(index, thing.blocks[block].entry_fee)
    return Words(thing, index, unit="entry", price=price, rule=rule, block=str(block + 1))


def _advance(running: Running, rung: _Rung, energy_milliwh: int) -> None:
    position = rung.position or 0
    rung.position = position + energy_milliwh
    thing = running.compiled.components[rung.ladder.index]
    if rung.ladder.is_volume and isinstance(thing, BlockCharge):
        is_opening = rung.key not in running.positions
        if energy_milliwh or is_opening:
            if not is_opening:
                _volume(running, rung, thing, position, -1)
            _volume(running, rung, thing, rung.position, 1)
            _remember(running, [rung])


def _volume(running: Running, rung: _Rung, thing: BlockCharge, total_milliwh: int, sign: int) -> None:
    """Charge (or take back) a whole total at the price of the block that it falls in, which holds its upper end."""
    block = max(block_of(rung.thresholds, total_milliwh - 1), 0) if total_milliwh else 0
    index, compiled = rung.ladder.index, running.compiled
    price = next(iter(thing.blocks[block].prices.values()))
    running.add(compiled.vector(index, Fraction(price)), sign * total_milliwh)
    rule = "the whole of the month at the price of its block"
    if sign < 0:
        rule = "taken back: the month so far, at the price of its block"
    words = Words(
        thing,
        index,
        unit="kWh",
        price=compiled.price(index, price),
        rule=compiled.with_rule(index, rule),
        block=str(block + 1),
    )
    running.write((words,), sign * total_milliwh)
    _fee(running, rung, thing, block, sign)


def _remember(running: Running, rungs: Sequence[_Rung]) -> None:
    """Keep how far up each ladder the period is."""
    positions, years = dict(running.positions), dict(running.years)
    for rung in rungs:
        if rung.ladder.window == "year":
            years[rung.key] = rung.position or 0
            windows = sorted(key for key in years if key.startswith(f"{rung.ladder.component}@"))
            for old in windows[:-_YEARS_KEPT]:
                del years[old]
        else:
            positions[rung.key] = rung.position or 0
    running.positions, running.years = positions, years
