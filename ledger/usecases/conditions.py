"""What must hold before anything is written about a supply point; each check names the value and the remedy."""

from datetime import datetime
from fractions import Fraction

from ledger.domain import account as account_stream_of
from ledger.domain import site as site_stream_of
from ledger.domain import tariff as tariff_stream_of
from ledger.domain.account import Account
from ledger.domain.supply import MeterInstalled, Registers, Supply
from ledger.domain.tariff import TariffHistory, compiled, knows_class
from ledger.store.application import Ledger
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.identity import account_stream, site_stream, tariff_stream


def check_site(ledger: Ledger, site: str) -> None:
    """Raise NotFound for a site without settings, be it from a later instant on: nothing there could be decided."""
    if not ledger.folded(site_stream(site), site_stream_of.evolve, site_stream_of.UNKNOWN)[0]:
        raise NotFound(
            f"site {site!r} has no settings, so nothing there would ever be warned or cut;"
            f" set them first: wattledger site set {site}"
        )


def check_account(ledger: Ledger, account: str) -> None:
    """Raise NotFound for an account that was never opened."""
    if ledger.folded(account_stream(account), account_stream_of.evolve, None)[0] is None:
        raise NotFound(f"there is no account {account!r}; open it first, or check the code")


def check_register(register_milliwh: int, modulus_milliwh: int) -> None:
    """Raise InvalidValue for a register that the meter cannot show."""
    largest = (modulus_milliwh or 2**62) - 1
    if not 0 <= register_milliwh <= largest:
        raise InvalidValue(f"opening register {register_milliwh} mWh is outside 0 to {largest} mWh; read it again")


def check_registers(registers: Registers | None, modulus_milliwh: int) -> None:
    """Raise InvalidValue for registers beside the total that the meter cannot show."""
    if registers is None:
        return
    for register in (*registers.periods.values(), registers.reactive_millivarh, registers.apparent_millivah):
        if register is not None:
            check_register(register, modulus_milliwh)


def check_multiplier(text: str, *, modulus_milliwh: int, measures: str) -> None:
    """Raise InvalidValue for a transformers' product that cannot be, or that a rollover would lose energy by."""
    try:
        multiplier = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise InvalidValue(f"multiplier {text!r} is no number; give one such as 40, 1.5 or 200/3") from None
    if not 0 < multiplier <= 10**6:
        raise InvalidValue(f"multiplier {text} is not between 0 and 1000000; give the transformers' product")
    if (multiplier * modulus_milliwh).denominator != 1:
        raise InvalidValue(
            f"multiplier {text} times the register's modulus, {modulus_milliwh} mWh, is no whole number of mWh: a"
            " rollover would lose some; give a multiplier with fewer places"
        )
    if measures == "interval" and multiplier != 1:
        raise InvalidValue(
            f"multiplier {text} is for registers; interval files hold energy that is multiplied already"
        )


def check_takes_tokens(state: Supply, serial: str) -> None:
    """Raise Refused for another meter where tokens are sold: it has secrets and a count of its own."""
    if state.tokens is not None and state.spells[-1].meter.meter != serial:
        raise Refused(
            f"supply point {state.code!r} is billed by tokens of meter {state.spells[-1].meter.meter!r}, and meter"
            f" {serial!r} would take none of them; register another supply point for it: wattledger supply add"
        )


def check_units(meter: MeterInstalled | None, history: TariffHistory, effective_from: datetime) -> None:
    """Raise Refused where a version in force from an instant on prices what the meter is known not to measure."""
    if meter is None or meter.gives is None:
        return
    begins = history.version_at(effective_from)
    for row in history.versions:
        lacking = sorted(compiled(row.text, row.version).needs - set(meter.gives))
        if lacking and (row is begins or row.effective_from > effective_from):
            raise Refused(
                f"version {row.version} of tariff {history.code!r} prices {' and '.join(lacking)}, which meter"
                f" {meter.meter!r} does not measure; choose another tariff, or exchange the meter"
            )


def published_tariff(ledger: Ledger, tariff: str) -> TariffHistory:
    """Return a tariff's versions; raises NotFound where there is none."""
    history: TariffHistory | None = ledger.folded(tariff_stream(tariff), tariff_stream_of.evolve, None)[0]
    if history is None:
        raise NotFound(f"there is no tariff {tariff!r}; publish it first, or check the code")
    return history


def check_class(history: TariffHistory, account_class: str, effective_from: datetime) -> None:
    """Raise InvalidValue for an account class that a version in force from an instant on has no prices for."""
    begins = history.version_at(effective_from)
    for row in history.versions:
        if (row is begins or row.effective_from > effective_from) and not knows_class(row.text, account_class):
            known = [one.name for one in compiled(row.text, row.version).tariff.classes]
            raise InvalidValue(
                f"class {account_class!r} is not in version {row.version} of tariff {history.code!r};"
                f" known: {', '.join(map(repr, known)) or 'none, leave the class out'}"
            )


def currency_of(history: TariffHistory) -> str:
    """Return the currency of a tariff, the same in each of its versions."""
    return compiled(history.versions[-1].text, history.versions[-1].version).tariff.currency


def check_currency(payer: Account, history: TariffHistory) -> None:
    """Raise Refused for prices in one currency on money in another: a debit carries no currency."""
    currency = currency_of(history)
    if currency != payer.currency:
        raise Refused(
            f"tariff {history.code!r} is in {currency}, account {payer.code!r} in {payer.currency};"
            " use a tariff or an account in the same currency"
        )
