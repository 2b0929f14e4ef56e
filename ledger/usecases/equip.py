"""Everything that a supply point needs before its first debit, in one go that may be repeated.

Everything is checked before the first step is booked, so that a refusal leaves nothing half done.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from ledger.domain import account as account_stream_of
from ledger.domain import supply as supply_stream_of
from ledger.domain.account import Account
from ledger.domain.supply import MeterInstalled, Registers, Supply
from ledger.store.application import Ledger
from ledger.usecases.accounts import open_account
from ledger.usecases.codes import checked_code, checked_currency
from ledger.usecases.conditions import (
    check_class,
    check_currency,
    check_multiplier,
    check_register,
    check_registers,
    check_site,
    currency_of,
    published_tariff,
)
from ledger.usecases.supplies import (
    MeterFacts,
    assign_tariff,
    check_meter,
    check_meter_free,
    install_meter,
    occupy,
    register_supply,
)
from ledger.values.errors import LedgerError, Refused
from ledger.values.identity import account_stream, supply_stream
from ledger.values.instants import in_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyPoint:
    """A supply point as it is to be: where, which meter, who pays, at what price, since when; energies in mWh.

    Without `currency`, a new account is in the tariff's. Without `since`, what stands already keeps its instant, and
    what is new begins with the meter, or now. Registers are the meter's own, `multiplier` its transformers' product.
    """

    supply: str
    site: str
    concentrator: str
    meter: MeterFacts
    account: str
    tariff: str
    opening_milliwh: int
    building: str = ""
    room: str = ""
    currency: str | None = None
    account_class: str = ""
    contracted_w: int = 0
    multiplier: str = "1"
    opening_registers: Registers | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the ledger has of it."""

    account: Account | None
    supply: Supply | None

    @property
    def meter(self) -> MeterInstalled | None:
        return None if self.supply is None else self.supply.meter

    def since(self, wanted: SupplyPoint, now: datetime) -> datetime:
        """Return the instant of whatever is still to be done: one for all of it."""
        if wanted.since is not None:
            return in_utc(wanted.since)
        return now if self.meter is None else self.meter.installed_at


def equip(ledger: Ledger, wanted: SupplyPoint, *, now: datetime) -> Iterator[str]:
    """Do what is not done yet and tell each step, or that there was nothing to do.

    Raises InvalidValue for what cannot be, Refused naming everything that is missing or stands differently; nothing
    is booked then.
    """
    _check_values(wanted)
    standing = _Standing(
        account=ledger.folded(account_stream(wanted.account), account_stream_of.evolve, None)[0],
        supply=ledger.folded(supply_stream(wanted.supply), supply_stream_of.evolve, None)[0],
    )
    since = standing.since(wanted, now)
    if problems := [*_missing(ledger, wanted, standing, since), *_differences(wanted, standing)]:
        raise Refused(
            f"supply point {wanted.supply!r} was left as it is:\n" + "\n".join(f"  - {text}" for text in problems)
        )
    steps = 0
    for step in _steps(ledger, wanted, standing, since=since, now=now):
        steps += 1
        yield step
    if not steps:
        yield "nothing to do, all of it stands already"


def _check_values(wanted: SupplyPoint) -> None:
    for what, code in (
        ("supply point", wanted.supply),
        ("site", wanted.site),
        ("concentrator", wanted.concentrator),
        ("account", wanted.account),
    ):
        checked_code(code, what=what)
    check_meter(wanted.meter)
    modulus_milliwh = wanted.meter.modulus_milliwh
    check_register(wanted.opening_milliwh, modulus_milliwh)
    check_registers(wanted.opening_registers, modulus_milliwh)
    check_multiplier(wanted.multiplier, modulus_milliwh=modulus_milliwh, measures=wanted.meter.measures)
    if wanted.currency is not None:
        checked_currency(wanted.currency)


def _missing(ledger: Ledger, wanted: SupplyPoint, standing: _Standing, since: datetime) -> Iterator[str]:
    """Yield what would make one of the steps fail."""
    yield from _refusal(lambda: check_site(ledger, wanted.site))
    unpublished = list(_refusal(lambda: published_tariff(ledger, wanted.tariff)))
    yield from unpublished
    if not unpublished:
        yield from _refusal(lambda: check_class(published_tariff(ledger, wanted.tariff), wanted.account_class, since))
        payer = standing.account
        if payer is None:
            currency = _currency(ledger, wanted)
            payer = Account(code=wanted.account, site=wanted.site, currency=currency)
        yield from _refusal(lambda: check_currency(payer, published_tariff(ledger, wanted.tariff)))
    if standing.meter is None:
        yield from _refusal(
            lambda: check_meter_free(
                ledger,
                supply=wanted.supply,
                meter=wanted.meter,
                installed_at=since,
                opening_milliwh=wanted.opening_milliwh,
            )
        )


def _refusal(check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except LedgerError as error:
        yield str(error)


def _currency(ledger: Ledger, wanted: SupplyPoint) -> str:
    return wanted.currency or currency_of(published_tariff(ledger, wanted.tariff))


def _differences(wanted: SupplyPoint, standing: _Standing) -> Iterator[str]:
    """Yield what stands and is not what is wanted, each with what to do."""
    pairs: list[tuple[str, object, object, str]] = []
    if standing.account is not None and wanted.currency is not None:
        pairs.append(("the account's currency", standing.account.currency, wanted.currency, "use another account"))
    if (supply := standing.supply) is not None:
        another = "a supply point stays where it is: choose another code for another one"
        pairs.append(("site", supply.site, wanted.site, another))
        pairs.append(("concentrator", supply.concentrator, wanted.concentrator, another))
        pairs += _meter_pairs(wanted, supply)
        pairs += _people_pairs(wanted, supply)
    for name, stands, asked, remedy in pairs:
        if stands != asked:
            yield f"{name} is {stands}, asked for {asked}; ask for what stands, or {remedy}"


def _meter_pairs(wanted: SupplyPoint, supply: Supply) -> Iterator[tuple[str, object, object, str]]:
    there, asked = supply.meter, wanted.meter
    if there is None:
        return
    remedy = "exchange the meter"
    yield "meter", there.meter, asked.serial, remedy
    yield "profile", there.profile, asked.profile, remedy
    yield "max_power_w", there.max_power_w, asked.max_power_w, remedy
    yield "limit_w", there.limit_w, asked.limit_w, remedy
    yield "the meter's modulus in mWh", there.modulus_milliwh, asked.modulus_milliwh, remedy
    yield "the meter's resolution in mWh", there.resolution_milliwh, asked.resolution_milliwh, remedy
    yield "what the meter measures", there.measures, asked.measures, remedy
    yield "opening register in mWh", there.opening_milliwh, wanted.opening_milliwh, "correct it"
    yield "multiplier", Fraction(there.multiplier), Fraction(wanted.multiplier), "use `supply multiplier`"
    if wanted.opening_registers is not None:
        stands = {} if there.opening_registers is None else there.opening_registers.periods
        yield "registers by period in mWh", stands, wanted.opening_registers.periods, "correct them"
    if wanted.since is not None:
        yield "installed", there.installed_at.isoformat(), in_utc(wanted.since).isoformat(), "leave the instant out"


def _people_pairs(wanted: SupplyPoint, supply: Supply) -> Iterator[tuple[str, object, object, str]]:
    since = None if wanted.since is None else in_utc(wanted.since)
    if supply.occupancies:
        occupancy = supply.occupancies[-1]
        yield "occupying account", occupancy.account, wanted.account, "let the occupant move out first"
        yield "occupant's register in mWh", occupancy.opening_milliwh, wanted.opening_milliwh, "correct it"
        if since is not None:
            yield "occupied", occupancy.occupied_from.isoformat(), since.isoformat(), "leave the instant out"
    if supply.terms:
        terms = supply.terms[-1]
        yield "tariff", terms.tariff, wanted.tariff, "assign the other tariff"
        yield "account class", terms.account_class, wanted.account_class, "assign the tariff with the other class"
        yield (
            "contracted power in W",
            terms.contracted_w,
            wanted.contracted_w,
            "assign the tariff with the other power",
        )
        if since is not None:
            yield "tariff in force", terms.effective_from.isoformat(), since.isoformat(), "leave the instant out"


def _steps(
    ledger: Ledger, wanted: SupplyPoint, standing: _Standing, *, since: datetime, now: datetime
) -> Iterator[str]:
    code, opening_milliwh, supply = wanted.supply, wanted.opening_milliwh, standing.supply
    if standing.account is None:
        currency = _currency(ledger, wanted)
        open_account(ledger, account=wanted.account, site=wanted.site, currency=currency, now=now)
        yield f"account {wanted.account} opened in {currency}"
    if supply is None:
        register_supply(
            ledger,
            supply=code,
            site=wanted.site,
            concentrator=wanted.concentrator,
            building=wanted.building,
            room=wanted.room,
            now=now,
        )
        yield f"registered at site {wanted.site}, concentrator {wanted.concentrator}"
    if standing.meter is None:
        install_meter(
            ledger,
            supply=code,
            meter=wanted.meter,
            installed_at=since,
            opening_milliwh=opening_milliwh,
            opening_registers=wanted.opening_registers,
            multiplier=wanted.multiplier,
            now=now,
        )
        yield f"meter {wanted.meter.serial} installed"
    if supply is None or not supply.terms:
        assign_tariff(
            ledger,
            supply=code,
            tariff=wanted.tariff,
            effective_from=since,
            account_class=wanted.account_class,
            contracted_w=wanted.contracted_w,
            now=now,
        )
        of_class = f" for class {wanted.account_class}" if wanted.account_class else ""
        yield f"tariff {wanted.tariff} assigned{of_class}"
    if supply is None or not supply.occupancies:
        occupy(
            ledger,
            supply=code,
            account=wanted.account,
            occupied_from=since,
            opening_milliwh=opening_milliwh,
            opening_registers=wanted.opening_registers,
            now=now,
        )
        yield f"occupied by {wanted.account}"
