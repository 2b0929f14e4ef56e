"""Settling: what happened to a supply point is taken into its meter stream, in the order of the Supply stream (pure).

Done by the partition's owner with the supply point's next reading or tick, before that is taken. The outcome depends
on the meter stream and the Supply stream alone, so whoever does it, after whatever crash, does the same (design I2).
What leaves no event is settled again after a restart, and comes to nothing again.
"""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from ledger.domain import moving, rebooking, registers, resolving
from ledger.domain.billed import BilledHistory, Underivable
from ledger.domain.event import Fact
from ledger.domain.evidence import Evidence
from ledger.domain.intervals import HistoryNeeded
from ledger.domain.judging import Bad
from ledger.domain.meter import Source
from ledger.domain.meter_life import BaseChange, BaseChanged
from ledger.domain.metering import Draft, Metering, Taker, begin, billed_to
from ledger.domain.spell import Spell
from ledger.domain.supply import MeterInstalled, Registers, Supply, SupplyOccupied
from ledger.domain.supply_life import HoldResolved, MeterRemoved, MultiplierChanged, SupplyVacated
from ledger.domain.time_due import is_charged_beyond
from ledger.values.energy import text_from_milliwh
from ledger.values.identity import reading_id
from ledger.wire import RegisterReading


def is_settled(metering: Metering, supply: Supply) -> bool:
    """Tell whether a meter stream has taken in all that happened to its supply point."""
    return metering.state.supply_version >= supply.life_version


def settle(
    draft: Draft, metering: Metering, supply: Supply, source: Source, billed: BilledHistory | None = None
) -> None:
    """Take in what happened to the supply point since.

    Raises intervals.HistoryNeeded where what was billed must be looked up and `billed` does not reach that far; what
    was settled until then stays settled, and the call can be repeated with it.
    """
    for version, fact in supply.life:
        before = metering.state
        if version <= before.supply_version:
            continue
        # The newest event carries the version, so that settling is done once.
        metering.state = msgspec.structs.replace(before, supply_version=version)
        try:
            _Settling(draft, metering, supply.as_of(version), source, billed, version).settle(fact)
        except HistoryNeeded:
            metering.state = before
            raise


class _Settling:
    """One fact on its way into the meter stream; `supply` has the occupancies that it had then."""

    def __init__(
        self,
        draft: Draft,
        metering: Metering,
        supply: Supply,
        source: Source,
        billed: BilledHistory | None,
        version: int,
    ) -> None:
        self.draft = draft
        self.metering = metering
        self.supply = supply
        self.source = source
        self.billed = billed
        self.version = version

    def settle(self, fact: Fact) -> None:
        match fact:
            case MeterRemoved():
                ended = self._spell(fact.meter, ends=fact.removed_at)
                self._close(ended, "meter-removed", None)
            case MultiplierChanged():
                ended = self._spell(fact.meter, ends=fact.effective_from)
                self._close(ended, "multiplier-changed", self._spell(fact.meter, starts=fact.effective_from))
            case MeterInstalled():
                self._install(self._spell(fact.meter, starts=fact.installed_at))
            case SupplyOccupied() | SupplyVacated():
                self._move(self.supply.occupancy_versions.index(self.version))
            case HoldResolved():
                begin(self.metering, self.supply)
                resolving.resolve(self._taker(self.supply.spells[-1]), fact, self.billed)
            case _:
                raise AssertionError(f"{type(fact).__name__} is nothing that a meter stream takes in")

    def _taker(self, spell: Spell) -> Taker:
        return Taker(self.draft, self.metering, self.supply, spell.meter, self.source)

    def _spell(self, meter: str, *, starts: datetime | None = None, ends: datetime | None = None) -> Spell:
        return next(
            row
            for row in self.supply.spells
            if row.meter.meter == meter and (row.starts == starts if starts is not None else row.ends == ends)
        )

    def _has_begun(self, at: datetime) -> bool:
        """Begin the stream where somebody occupied the supply point before; tell whether it has begun."""
        if self.supply.occupancies and self.supply.occupancies[0].occupied_from <= at:
            begin(self.metering, self.supply)
        return self.metering.state.account != "" and self.metering.state.billed_to is not None

    def _close(self, ended: Spell, change: BaseChange, opened: Spell | None) -> None:
        """Bill the closing register, then leave the old base; on the new one, where there is one."""
        if ended.ends is None or ended.meter.measures != "register" or not self._has_begun(ended.ends):
            return
        taker = self._taker(ended)
        if ended.closing_milliwh is not None and self.metering.state.meter == ended.meter.meter:
            self._read(taker, ended.ends, ended.closing_milliwh)
        self._rebase(taker, change, ended.ends, opened)

    def _install(self, opened: Spell) -> None:
        if opened.meter.measures != "register" or not self._has_begun(opened.starts):
            return
        taker = self._taker(opened)
        moving.close_until(taker, self.supply.occupancy_number_at(opened.starts), self.source)
        self._rebase(taker, "meter-installed", opened.starts, opened)

    def _rebase(self, taker: Taker, change: BaseChange, at: datetime, opened: Spell | None) -> None:
        state = self.metering.state
        after = msgspec.structs.replace(
            state,
            meter="" if opened is None else opened.meter.meter,
            billed_to=at if state.billed_to is None else max(state.billed_to, at),
            register_milliwh=None if opened is None else opened.opening_milliwh,
            # Of a new meter they may be known; under another multiplier they begin anew.
            registers=registers.scaled(opened.meter.opening_registers, opened)
            if opened is not None and change == "meter-installed"
            else None,
            episode=None,
            read_back="",
        )
        fact = BaseChanged(
            supply=self.supply.code,
            meter=taker.meter.meter,
            change=change,
            changed_at=at,
            closing_milliwh=state.register_milliwh,
            opening_milliwh=after.register_milliwh,
            multiplier=taker.meter.multiplier if opened is None else opened.meter.multiplier,
            source=self.source,
            state=after,
            recorded_at=self.draft.recorded_at,
        )
        taker.append(fact, after)

    def _read(self, taker: Taker, at: datetime, register_milliwh: int, beside: Registers | None = None) -> bool:
        """Take in a register that somebody read at a boundary; tell whether it was believed."""
        others = beside or registers.NO_REGISTERS
        reading = RegisterReading(
            meter=taker.meter.meter,
            read_at=at,
            import_milliwh=register_milliwh,
            periods=others.periods or None,
            reactive_millivarh=others.reactive_millivarh,
            apparent_millivah=others.apparent_millivah,
            profile=taker.meter.profile,
        )
        evidence = _evidence(reading)
        since = billed_to(self.metering)
        if at <= since:
            return self._is_as_billed(taker, evidence, since)
        taken = taker.judged(reading, since, at)
        if isinstance(taken, Bad):
            taker.hold(evidence, taken, since=since)
            return False
        if taker.is_nothing(taken, at):
            self.metering.seen_at, self.metering.is_seen_dirty = at, True
            return True
        return taker.debit(evidence, since, at, taken)

    def _is_as_billed(self, taker: Taker, evidence: Evidence, since: datetime) -> bool:
        last = self.metering.state.register_milliwh
        if evidence.register_milliwh == last:
            return True
        here, there = text_from_milliwh(evidence.register_milliwh or 0), text_from_milliwh(last or 0)
        detail = f"register {here} kWh at {evidence.read_at.isoformat()}, but {there} kWh until {since.isoformat()}"
        taker.append_hold(evidence, Bad("conflicting", detail), self.metering.state)
        return False

    def _move(self, number: int) -> None:
        """Let an occupancy begin: at its register where that was read, else where usage is apportioned."""
        begins = self.supply.occupancies[number]
        if number <= self.metering.state.occupancy:
            return
        begin(self.metering, self.supply)
        spell = self.supply.spell_at(begins.occupied_from)
        if spell is None or self.metering.state.account == "":
            return
        taker = self._taker(spell)
        until = self.metering.state.billed_to
        if until is not None and until > begins.occupied_from:
            self._rebook(taker, number, begins, spell)
            return
        self._rebook_time(taker, number, begins)
        if self.metering.state.register_milliwh is not None:
            self._move_register(taker, number, begins, spell)
        elif spell.meter.measures == "register":
            # No meter is there, so nothing is left to be measured.
            moving.close_until(taker, number, self.source)

    def _rebook_time(self, taker: Taker, number: int, begins: SupplyOccupied) -> None:
        """Rebook days charged beyond the end of an occupancy, where no usage was billed beyond it."""
        prices = self.draft.snapshot.prices_of(self.supply)
        charged_to = self.metering.state.charged_to
        if not is_charged_beyond(prices, charged_to=charged_to, instant=begins.occupied_from):
            return
        billed = rebooking.needed(taker, begins, self.billed)
        before = replace(self.supply, occupancies=self.supply.occupancies[:number], occupancy_versions=())
        try:
            rebooking.rebook_time(taker, before, number, billed, self.source)
        except Underivable as error:
            evidence = self._boundary(taker, begins.occupied_from, None)
            detail = f"days charged beyond the end of an occupancy cannot be rebooked: {error}"
            taker.append_hold(evidence, Bad("conflicting", detail), self.metering.state)

    def _move_register(self, taker: Taker, number: int, begins: SupplyOccupied, spell: Spell) -> None:
        is_read = False
        if begins.opening_milliwh is not None and spell.meter.meter == self.metering.state.meter:
            beside = registers.scaled(begins.opening_registers, spell)
            is_read = self._read(taker, begins.occupied_from, spell.scaled(begins.opening_milliwh), beside)
        if begins.occupied_from <= billed_to(self.metering):
            moving.close_until(taker, number, self.source, is_apportioned=not is_read)

    def _rebook(self, taker: Taker, number: int, begins: SupplyOccupied, spell: Spell) -> None:
        billed = rebooking.needed(taker, begins, self.billed)
        occupancies = self.supply.occupancies[:number]
        before = replace(self.supply, occupancies=occupancies, occupancy_versions=())
        register = None if begins.opening_milliwh is None else spell.scaled(begins.opening_milliwh)
        try:
            wrong = rebooking.rebook(taker, before, number, billed, self.source, register_milliwh=register)
        except Underivable as error:
            evidence = self._boundary(taker, begins.occupied_from, register)
            detail = f"what was billed beyond the end of an occupancy cannot be rebooked: {error}"
            taker.append_hold(evidence, Bad("conflicting", detail), self.metering.state)
            moving.close_until(taker, number, self.source)
            return
        if wrong is not None:
            evidence = self._boundary(taker, begins.occupied_from, wrong.register_milliwh)
            taker.append_hold(evidence, Bad("conflicting", wrong.detail), self.metering.state)

    def _boundary(self, taker: Taker, at: datetime, register_milliwh: int | None) -> Evidence:
        register = self.metering.state.register_milliwh if register_milliwh is None else register_milliwh
        return _evidence(RegisterReading(meter=taker.meter.meter, read_at=at, import_milliwh=register or 0))


def _evidence(reading: RegisterReading) -> Evidence:
    """A register at a boundary is a reading of its own, whatever the meter said at that very instant."""
    return Evidence(
        reading_id(meter=reading.meter, registers="boundary", read_at=reading.read_at),
        reading.read_at,
        reading.import_milliwh,
        None,
        reading.quality,
        reading.profile,
        reading.raw,
    )
