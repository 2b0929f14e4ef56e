"""The life of a supply point: exchange and remove its meter, change its multiplier, let people move in and out.

What happened is told, at the instant at which it happened; the owner of the supply point's partition settles it into
the meter stream with its next reading. Registers are the meter's own, as it shows them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

from psycopg import Cursor
from psycopg.rows import TupleRow

from ledger.domain import account as account_stream_of
from ledger.domain import site as site_stream_of
from ledger.domain import supply as supply_stream_of
from ledger.domain.event import Event, Fact
from ledger.domain.site import in_force
from ledger.domain.supply import MeterInstalled, Supply, SupplyOccupied
from ledger.domain.supply_life import (
    ConcentratorChanged,
    LandlordAssigned,
    MeterRemoved,
    MultiplierChanged,
    SupplyVacated,
)
from ledger.store.application import Ledger
from ledger.store.billed_to import billed_to
from ledger.usecases.attempt import appended
from ledger.usecases.codes import checked_code
from ledger.usecases.conditions import (
    check_account,
    check_currency,
    check_multiplier,
    check_register,
    check_takes_tokens,
    published_tariff,
)
from ledger.usecases.supplies import MeterFacts, check_meter, installation_command, taken
from ledger.values.errors import Conflict, InvalidValue, NotFound, Refused
from ledger.values.identity import account_stream, site_stream, supply_stream
from ledger.values.instants import in_utc

# Two clocks, the clerk's and the server's, may differ by as much.
_CLOCKS = timedelta(minutes=5)


def exchange_meter(
    ledger: Ledger,
    *,
    supply: str,
    meter: MeterFacts,
    at: datetime,
    closing_milliwh: int | None,
    opening_milliwh: int,
    now: datetime,
    multiplier: str | None = None,
) -> int:
    """Exchange a supply point's meter at an instant: the old register's last value, the new one's first (mWh).

    Without `closing_milliwh` nobody could read the old meter, and what it used since its last reading is billed to
    nobody. The multiplier and the supply's own limit stay as they are unless given. Raises NotFound, Refused where
    the old meter is billed beyond that instant or the new one is installed elsewhere, InvalidValue for what no meter
    has; Refused, too, where tokens of the old meter are sold.
    """
    check_meter(meter)
    at = _past(at, now, what="an exchange")

    def facts(state: Supply) -> list[Fact]:
        removed = _removal(state, at, closing_milliwh, now)
        if meter.serial == removed.meter:
            raise Refused(f"meter {meter.serial!r} is the one that is installed; give the new meter's serial")
        check_takes_tokens(state, meter.serial)
        kept = multiplier if multiplier is not None or state.meter is None else state.meter.multiplier
        limit_w = meter.limit_w or (state.meter.limit_w if state.meter else 0)
        new = replace(meter, limit_w=limit_w)
        return [removed, _installation(supply, new, at, opening_milliwh, kept or "1", now)]

    return _told(ledger, supply, facts, at=at, installed=(meter, opening_milliwh))


def remove_meter(ledger: Ledger, *, supply: str, at: datetime, closing_milliwh: int | None, now: datetime) -> int:
    """Remove a supply point's meter, its register then standing at `closing_milliwh` (None: it was not read)."""
    at = _past(at, now, what="a removal")
    return _told(ledger, supply, lambda state: [_removal(state, at, closing_milliwh, now)], at=at)


def reinstall_meter(
    ledger: Ledger,
    *,
    supply: str,
    meter: MeterFacts,
    at: datetime,
    opening_milliwh: int,
    now: datetime,
    multiplier: str = "1",
) -> int:
    """Install a meter where one was removed before."""
    check_meter(meter)
    at = _past(at, now, what="an installation")

    def facts(state: Supply) -> list[Fact]:
        if state.meter is not None:
            raise Refused(f"supply point {supply!r} has meter {state.meter.meter!r}; exchange it instead")
        if state.spells and state.spells[-1].ends is not None and at < state.spells[-1].ends:
            raise Refused(
                f"the meter before was removed at {state.spells[-1].ends.isoformat()}; install this one then or later"
            )
        check_takes_tokens(state, meter.serial)
        return [_installation(supply, meter, at, opening_milliwh, multiplier, now)]

    return _told(ledger, supply, facts, at=at, installed=(meter, opening_milliwh))


def change_multiplier(
    ledger: Ledger, *, supply: str, multiplier: str, at: datetime, register_milliwh: int, now: datetime
) -> int:
    """Count a meter's register so many times from an instant on, at which it stood at `register_milliwh`.

    Raises Refused where the supply point is billed beyond that instant already.
    """
    at = _past(at, now, what="a change of the multiplier")

    def facts(state: Supply) -> list[Fact]:
        meter = _meter_of(state)
        check_register(register_milliwh, meter.modulus_milliwh)
        _check_after_spell(state, at)
        check_multiplier(multiplier, modulus_milliwh=meter.modulus_milliwh, measures=meter.measures)
        if Fraction(multiplier) == Fraction(meter.multiplier):
            raise Refused(f"the multiplier of {supply!r} is {meter.multiplier} already")
        return [
            MultiplierChanged(
                supply=supply,
                meter=meter.meter,
                effective_from=at,
                multiplier=multiplier,
                register_milliwh=register_milliwh,
                recorded_at=now,
            )
        ]

    return _told(ledger, supply, facts, at=at)


def move_in(
    ledger: Ledger, *, supply: str, account: str, at: datetime, register_milliwh: int | None, now: datetime
) -> int:
    """Let an account pay from an instant on, whoever paid until then; the former's usage ends there.

    Without a register usage is apportioned at that instant. It may lie before what is billed: that is rebooked.
    """
    payer = ledger.folded(account_stream(account), account_stream_of.evolve, None)[0]
    if payer is None:
        raise NotFound(f"there is no account {account!r}; open it first, or check the code")
    at = in_utc(at)

    def facts(state: Supply) -> list[Fact]:
        _check_boundary(state, at, register_milliwh, now)
        if state.occupancies[-1].account == account:
            raise Refused(f"account {account!r} occupies {supply!r} already")
        for terms in state.terms:
            check_currency(payer, published_tariff(ledger, terms.tariff))
        return [
            SupplyOccupied(
                supply=supply, account=account, occupied_from=at, opening_milliwh=register_milliwh, recorded_at=now
            )
        ]

    return _told(ledger, supply, facts)


def move_out(ledger: Ledger, *, supply: str, at: datetime, register_milliwh: int | None, now: datetime) -> int:
    """End an occupancy at an instant; from then on the landlord's account pays, as the settings name it.

    Raises Refused where nobody is named: what a vacant supply point uses is somebody's.
    """
    at = in_utc(at)

    def facts(state: Supply) -> list[Fact]:
        _check_boundary(state, at, register_milliwh, now)
        occupant = state.occupancies[-1]
        if occupant.is_vacant:
            raise Refused(f"supply point {supply!r} is vacant since {occupant.occupied_from.isoformat()}")
        landlord = state.landlord_at(at) or _landlord_of_site(ledger, state.site, at)
        if not landlord:
            raise Refused(
                f"nobody pays for {supply!r} while it is vacant; name the landlord's account first: wattledger site"
                f" set {state.site} --landlord ACCOUNT, or wattledger supply landlord {supply} ACCOUNT"
            )
        return [
            SupplyVacated(
                supply=supply,
                account=occupant.account,
                landlord=landlord,
                vacated_at=at,
                closing_milliwh=register_milliwh,
                recorded_at=now,
            )
        ]

    return _told(ledger, supply, facts)


def assign_landlord(ledger: Ledger, *, supply: str, account: str, effective_from: datetime, now: datetime) -> int:
    """Name the account that pays for a supply point while nobody occupies it, whatever its site says."""
    check_account(ledger, account)
    fact = LandlordAssigned(supply=supply, account=account, effective_from=in_utc(effective_from), recorded_at=now)
    return _told(ledger, supply, lambda _state: [fact])


def change_concentrator(ledger: Ledger, *, supply: str, concentrator: str, now: datetime) -> int:
    """Read a supply point through another concentrator from now on."""
    checked_code(concentrator, what="concentrator")

    def facts(state: Supply) -> list[Fact]:
        if state.concentrator == concentrator:
            raise Refused(f"supply point {supply!r} is read through {concentrator!r} already")
        return [
            ConcentratorChanged(supply=supply, concentrator=concentrator, before=state.concentrator, recorded_at=now)
        ]

    return _told(ledger, supply, facts)


def supply_of(ledger: Ledger, supply: str) -> Supply:
    """Return a supply point as its events leave it; raises NotFound."""
    return known_supply(ledger.folded(supply_stream(supply), supply_stream_of.evolve, None)[0], supply)


def known_supply(state: Supply | None, supply: str) -> Supply:
    """Return a supply point that somebody has looked for by its code; raises NotFound where there was none."""
    if state is None:
        raise NotFound(f"there is no supply point {supply!r}; register it first, or check the code")
    return state


def _told(
    ledger: Ledger,
    supply: str,
    facts: Callable[[Supply], Sequence[Fact]],
    *,
    at: datetime | None = None,
    installed: tuple[MeterFacts, int] | None = None,
) -> int:
    """Append facts to a supply point; with `at`, refuse where it is billed beyond that, once more inside the gate."""
    stream = supply_stream(supply)

    def check(cursor: Cursor[TupleRow]) -> None:
        until = billed_to(cursor.connection, supplies=[supply]).get(supply)
        if at is not None and until is not None and until > at:
            raise Refused(
                f"supply point {supply!r} is billed to {until.isoformat()} already, after {at.isoformat()}: registers"
                " until then are of the meter as it was; give that instant or a later one, with its registers"
            )

    def decide() -> Sequence[Event]:
        state, version = ledger.folded(stream, supply_stream_of.evolve, None)
        if state is None:
            raise NotFound(f"there is no supply point {supply!r}; register it first, or check the code")
        wanted = facts(state)
        return [Event(stream, version + number, fact) for number, fact in enumerate(wanted, 1)]

    guard = None if at is None else check
    if installed is None or at is None:
        return appended(ledger, decide, guard=guard)
    meter, opening_milliwh = installed
    try:
        command = installation_command(ledger, supply, meter, at, opening_milliwh)
        return appended(ledger, decide, command=command, guard=guard)
    except Conflict as conflict:
        raise taken(meter, conflict) from None


def _meter_of(state: Supply) -> MeterInstalled:
    if state.meter is None:
        raise Refused(f"supply point {state.code!r} has no meter; install one first")
    return state.meter


def _removal(state: Supply, at: datetime, closing_milliwh: int | None, now: datetime) -> MeterRemoved:
    meter = _meter_of(state)
    _check_after_spell(state, at)
    if closing_milliwh is not None:
        check_register(closing_milliwh, meter.modulus_milliwh)
    return MeterRemoved(
        supply=state.code, meter=meter.meter, removed_at=at, closing_milliwh=closing_milliwh, recorded_at=now
    )


def _installation(
    supply: str, meter: MeterFacts, at: datetime, opening_milliwh: int, multiplier: str, now: datetime
) -> MeterInstalled:
    check_register(opening_milliwh, meter.modulus_milliwh)
    check_multiplier(multiplier, modulus_milliwh=meter.modulus_milliwh, measures=meter.measures)
    return MeterInstalled(
        supply=supply,
        meter=meter.serial,
        profile=meter.profile,
        installed_at=at,
        opening_milliwh=opening_milliwh,
        max_power_w=meter.max_power_w,
        modulus_milliwh=meter.modulus_milliwh,
        resolution_milliwh=meter.resolution_milliwh,
        measures=meter.measures,
        multiplier=multiplier,
        gives=meter.gives,
        limit_w=meter.limit_w,
        recorded_at=now,
    )


def _check_after_spell(state: Supply, at: datetime) -> None:
    if state.spells and at < state.spells[-1].starts:
        raise Refused(
            f"the registers of {state.code!r} count from {state.spells[-1].starts.isoformat()} on, this would be at"
            f" {at.isoformat()}; give a later instant"
        )


def _check_boundary(state: Supply, at: datetime, register_milliwh: int | None, now: datetime) -> None:
    """Raise Refused or InvalidValue for a move that is out of order, or whose register cannot be."""
    if not state.occupancies:
        raise Refused(f"supply point {state.code!r} was never occupied; let the first account occupy it")
    begun = state.occupancies[-1].occupied_from
    if at <= begun:
        raise Refused(
            f"{state.occupancies[-1].account!r} occupies {state.code!r} from {begun.isoformat()}, this would be at"
            f" {at.isoformat()}; give a later instant"
        )
    if register_milliwh is None:
        return
    if at > now + _CLOCKS:
        raise InvalidValue(f"nobody has read a register at {at.isoformat()} yet; leave it out, or give it then")
    spell = state.spell_at(at)
    if spell is None or (spell.ends is not None and at > spell.ends):
        raise InvalidValue(f"no meter was there at {at.isoformat()}; leave the register out")
    check_register(spell.scaled(register_milliwh), spell.meter.modulus_milliwh)


def _landlord_of_site(ledger: Ledger, site: str, at: datetime) -> str:
    history = ledger.folded(site_stream(site), site_stream_of.evolve, site_stream_of.UNKNOWN)[0]
    settings = in_force(history, at)
    return "" if settings is None else settings.landlord


def _past(at: datetime, now: datetime, *, what: str) -> datetime:
    at = in_utc(at)
    if at > now + _CLOCKS:
        raise InvalidValue(f"{what} at {at.isoformat()} has not happened yet; tell it when it has")
    return at
