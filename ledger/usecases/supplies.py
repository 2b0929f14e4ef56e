"""Supply points: register one, install its meter, let an account occupy it, assign its tariff."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import count
from typing import Literal

from ledger.domain import account as account_stream_of
from ledger.domain import supply as supply_stream_of
from ledger.domain.event import Event, Fact
from ledger.domain.supply import (
    MeteredUnit,
    MeterInstalled,
    Registers,
    Supply,
    SupplyOccupied,
    SupplyRegistered,
    TermsAssigned,
)
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.store.recorder import Guard
from ledger.usecases.attempt import appended
from ledger.usecases.billed_past import BilledPast, billed_past_of
from ledger.usecases.codes import checked_code
from ledger.usecases.conditions import (
    check_class,
    check_currency,
    check_multiplier,
    check_register,
    check_registers,
    check_site,
    check_takes_tokens,
    check_units,
    published_tariff,
)
from ledger.values.errors import Conflict, InvalidValue, NotFound, Refused
from ledger.values.identity import account_stream, supply_stream
from ledger.values.instants import in_utc

# A gigawatt: a slip of units, not a supply point.
MAX_POWER_W = 10**9


@dataclass(frozen=True, slots=True)
class MeterFacts:
    """A meter as it is installed: serial, profile, what its supply can physically carry, and its register.

    `modulus_milliwh` is where the register rolls over (0: never), `resolution_milliwh` one step of it.
    `gives` are the units that it measures beside kWh (kW: demand), None where that is not known. `limit_w` is the
    supply's own limit, whatever the transformers; 0 where it is not known.
    """

    serial: str
    profile: str
    max_power_w: int
    modulus_milliwh: int = 0
    resolution_milliwh: int = 0
    measures: Literal["register", "interval"] = "register"
    gives: tuple[MeteredUnit, ...] | None = None
    limit_w: int = 0


def register_supply(
    ledger: Ledger, *, supply: str, site: str, concentrator: str, now: datetime, building: str = "", room: str = ""
) -> int:
    """Register a supply point fed through a concentrator.

    Raises NotFound for a site without settings, Refused where the supply point is registered already.
    """
    for what, code in (("supply point", supply), ("site", site), ("concentrator", concentrator)):
        checked_code(code, what=what)
    check_site(ledger, site)
    stream = supply_stream(supply)

    def decide() -> Sequence[Event]:
        state, version = ledger.folded(stream, supply_stream_of.evolve, None)
        if state is not None:
            raise Refused(f"supply point {supply!r} is registered already; choose another code")
        fact = SupplyRegistered(
            supply=supply, site=site, concentrator=concentrator, building=building, room=room, recorded_at=now
        )
        return [Event(stream, version + 1, fact)]

    return appended(ledger, decide)


def install_meter(
    ledger: Ledger,
    *,
    supply: str,
    meter: MeterFacts,
    installed_at: datetime,
    opening_milliwh: int,
    now: datetime,
    opening_registers: Registers | None = None,
    multiplier: str = "1",
) -> int:
    """Install a supply point's first meter, its register standing at `opening_milliwh`; repeating it has no effect.

    Raises NotFound for an unknown supply point, Refused where another meter is installed there or where the meter is
    installed elsewhere, InvalidValue for registers or powers that cannot be.
    """
    check_meter(meter)
    check_register(opening_milliwh, meter.modulus_milliwh)
    check_registers(opening_registers, meter.modulus_milliwh)
    check_multiplier(multiplier, modulus_milliwh=meter.modulus_milliwh, measures=meter.measures)
    installed_at = in_utc(installed_at)

    def fact(state: Supply) -> Fact:
        if state.meter is not None:
            raise Refused(f"supply point {supply!r} has meter {state.meter.meter!r}; exchange it instead")
        check_takes_tokens(state, meter.serial)
        return MeterInstalled(
            supply=supply,
            meter=meter.serial,
            profile=meter.profile,
            installed_at=installed_at,
            opening_milliwh=opening_milliwh,
            max_power_w=meter.max_power_w,
            modulus_milliwh=meter.modulus_milliwh,
            resolution_milliwh=meter.resolution_milliwh,
            measures=meter.measures,
            multiplier=multiplier,
            opening_registers=opening_registers,
            gives=meter.gives,
            limit_w=meter.limit_w,
            recorded_at=now,
        )

    command = installation_command(ledger, supply, meter, installed_at, opening_milliwh)
    try:
        return _appended(ledger, supply, fact, command=command)
    except Conflict as conflict:
        raise taken(meter, conflict) from None


def occupy(
    ledger: Ledger,
    *,
    supply: str,
    account: str,
    occupied_from: datetime,
    opening_milliwh: int,
    now: datetime,
    opening_registers: Registers | None = None,
) -> int:
    """Let an account pay for a vacant supply point from an instant and a register on.

    `opening_registers` are those beside the total, where they are known: they bill from there, else from the first
    reading that tells them, up to which the total bills.

    Raises NotFound for an unknown supply point or account, Refused where there is no meter, an occupant or a tariff
    in another currency, InvalidValue for a register that cannot be.
    """
    payer = ledger.folded(account_stream(account), account_stream_of.evolve, None)[0]
    if payer is None:
        raise NotFound(f"there is no account {account!r}; open it first, or check the code")
    occupied_from = in_utc(occupied_from)

    def fact(state: Supply) -> Fact:
        if state.meter is None:
            raise Refused(f"supply point {supply!r} has no meter; install one first")
        if state.occupancies:
            raise Refused(f"supply point {supply!r} is occupied by {state.occupancies[-1].account!r}")
        check_register(opening_milliwh, state.meter.modulus_milliwh)
        check_registers(opening_registers, state.meter.modulus_milliwh)
        if state.meter.opening_milliwh > opening_milliwh and not state.meter.modulus_milliwh:
            raise InvalidValue(
                f"opening register {opening_milliwh} mWh is below the meter's at its installation,"
                f" {state.meter.opening_milliwh} mWh; read it again"
            )
        for terms in state.terms:
            check_currency(payer, published_tariff(ledger, terms.tariff))
        return SupplyOccupied(
            supply=supply,
            account=account,
            occupied_from=occupied_from,
            opening_milliwh=opening_milliwh,
            opening_registers=opening_registers,
            recorded_at=now,
        )

    return _appended(ledger, supply, fact)


def assign_tariff(
    ledger: Ledger,
    *,
    supply: str,
    tariff: str,
    effective_from: datetime,
    now: datetime,
    account_class: str = "",
    contracted_w: int = 0,
) -> int:
    """Price a supply point by a tariff from an instant on, at the prices of an account class if one is given.

    `contracted_w` is its contracted power in watts, 0 where it has none.

    That is at or after the newest terms, or before the first: what was held for want of terms can then be billed.
    Raises NotFound for an unknown supply point or tariff, InvalidValue for a class that the tariff does not know,
    Refused for an instant between or in a past that is billed already, where the meter is known not to give what the
    tariff prices, or where the occupying account is in another currency.
    """
    history = published_tariff(ledger, tariff)
    effective_from = in_utc(effective_from)
    check_class(history, account_class, effective_from)
    check_contracted(contracted_w)
    past: BilledPast | None = None

    def fact(state: Supply) -> Fact:
        nonlocal past
        if state.terms and state.terms[0].effective_from <= effective_from < state.terms[-1].effective_from:
            raise Refused(
                f"supply point {supply!r} has terms from {state.terms[-1].effective_from.isoformat()} already,"
                f" these would start at {effective_from.isoformat()}; assign later ones"
            )
        for occupancy in state.occupancies:
            payer = ledger.folded(account_stream(occupancy.account), account_stream_of.evolve, None)[0]
            if payer is not None:
                check_currency(payer, history)
        check_units(state.meter, history, effective_from)
        # Before the first terms nothing was billed by any tariff, whatever is billed after them.
        is_later = bool(state.terms) and effective_from >= state.terms[0].effective_from
        past = billed_past_of(ledger, supply=supply, tariff=tariff, begin=effective_from) if is_later else None
        return TermsAssigned(
            supply=supply,
            tariff=tariff,
            effective_from=effective_from,
            account_class=account_class,
            contracted_w=contracted_w,
            recorded_at=now,
        )

    return _appended(
        ledger,
        supply,
        fact,
        guard=lambda cursor: past.check_written_since(cursor) if past is not None else None,
    )


def check_meter_free(
    ledger: Ledger, *, supply: str, meter: MeterFacts, installed_at: datetime, opening_milliwh: int
) -> None:
    """Raise Refused where the meter is installed elsewhere, or differently."""
    command = installation_command(ledger, supply, meter, installed_at, opening_milliwh)
    try:
        ledger.earlier(command)
    except Conflict as conflict:
        raise taken(meter, conflict) from None


def installation_command(
    ledger: Ledger, supply: str, meter: MeterFacts, installed_at: datetime, opening_milliwh: int
) -> Command:
    """Return an installation's command: its key keeps one meter from measuring two supply points.

    They are two streams and consistency boundaries. Once the meter is removed, its next installation has the next
    key. What a meter measures beside kWh is left out: it was not told of those installed before it was known.
    """
    content = {"supply": supply, "installed_at": installed_at.isoformat(), "opening_milliwh": str(opening_milliwh)}
    content |= {field.name: str(getattr(meter, field.name)) for field in fields(meter) if field.name != "gives"}
    for number in count(1):
        key = f"meter/{meter.serial}" if number == 1 else f"meter/{meter.serial}/{number}"
        before = ledger.asked_before(key)
        if before is None or before == content or not _is_over(ledger, meter.serial, before, installed_at):
            return Command(key=key, content=content)
    raise AssertionError("a count has no end")


def _is_over(ledger: Ledger, serial: str, before: dict[str, str], by: datetime) -> bool:
    """Tell whether an earlier installation of a meter had ended by an instant."""
    state: Supply | None = ledger.folded(supply_stream(before["supply"]), supply_stream_of.evolve, None)[0]
    began = datetime.fromisoformat(before["installed_at"])
    spells = () if state is None else state.spells
    its = [row for row in spells if (row.meter.meter, row.meter.installed_at) == (serial, began)]
    return bool(its) and its[-1].ends is not None and its[-1].ends <= by


def taken(meter: MeterFacts, conflict: Conflict) -> Refused:
    """Return the refusal of a meter that is installed elsewhere, or differently."""
    return Refused(
        f"meter {meter.serial!r} is installed already, and differently: {conflict.differences}; check the serial,"
        " or tell of its removal there first"
    )


def check_meter(meter: MeterFacts) -> None:
    """Raise InvalidValue for a power or a register that no meter has."""
    checked_code(meter.serial, what="meter")
    if not 0 < meter.max_power_w <= MAX_POWER_W:
        raise InvalidValue(
            f"max_power_w {meter.max_power_w} is not between 1 and {MAX_POWER_W}; give what the supply can carry"
        )
    if not 0 <= meter.limit_w <= MAX_POWER_W:
        raise InvalidValue(f"limit_w {meter.limit_w} is not between 0 and {MAX_POWER_W}; give the supply's own, or 0")
    if not 0 <= meter.modulus_milliwh < 2**62:
        raise InvalidValue(f"modulus {meter.modulus_milliwh} mWh is no register's; give where it rolls over, or 0")
    if not 0 <= meter.resolution_milliwh < 2**62:
        raise InvalidValue(f"resolution {meter.resolution_milliwh} mWh is no register's; give one step of it")


def check_contracted(contracted_w: int) -> None:
    """Raise InvalidValue for a contracted power that no supply point has."""
    if not 0 <= contracted_w <= MAX_POWER_W:
        raise InvalidValue(
            f"contracted power {contracted_w} W is not between 0 and {MAX_POWER_W} W; give it in watts"
        )


def _appended(
    ledger: Ledger,
    supply: str,
    fact: Callable[[Supply], Fact],
    *,
    command: Command | None = None,
    guard: Guard | None = None,
) -> int:
    """Append what a rule makes of the supply point as it is now."""
    stream = supply_stream(supply)

    def decide() -> Sequence[Event]:
        state, version = ledger.folded(stream, supply_stream_of.evolve, None)
        if state is None:
            raise NotFound(f"there is no supply point {supply!r}; register it first, or check the code")
        return [Event(stream, version + 1, fact(state))]

    return appended(ledger, decide, command=command, guard=guard)
