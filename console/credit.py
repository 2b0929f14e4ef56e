"""Credit in words: what a top-up went to, and where an account stands."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ledger.domain.credit.policy import Part
from ledger.store.application import Ledger
from ledger.store.standing import BalancesBehind
from ledger.usecases.credit.crediting import application_at
from ledger.usecases.credit.standing import AccountCredit, account_credit
from ledger.values.money import minor_unit_micros, text_from_micros
from projections.habits import credit_runs_out_at

_PARTS: dict[Part, str] = {
    "debt": "debt",
    "accrued": "charges accrued while off",
    "below-threshold": "the line at which supply is cut",
    "emergency": "emergency credit",
    "balance": "balance",
}


def told_application(ledger: Ledger, position: int) -> list[tuple[str, str]]:
    """Return what the top-up at a position went to, in its order, in words and currency units."""
    return [(_PARTS[line.part], text_from_micros(line.amount_micros)) for line in application_at(ledger, position)]


def told_after_top_up(ledger: Ledger, *, account: str, now: datetime) -> list[str]:
    """Return what a receipt says of where the account stands now: what it still needs, and how long it lasts.

    Nothing where read models are too far behind to know: a receipt is given all the same.
    """
    try:
        credit = account_credit(ledger, account=account, now=now)
    except BalancesBehind:
        return []
    needed_micros, currency = credit.standing.needed_micros, credit.account.currency
    if needed_micros:
        return [f"needed to be back on: {text_from_micros(payable(needed_micros, currency))} {currency} more"]
    with ledger.datastore.get_connection() as connection:
        spare_micros = credit.standing.spare_micros
        runs_out_at = credit_runs_out_at(connection, account=account, spare_micros=spare_micros, now=now)
    return [] if runs_out_at is None else [f"lasts {told_days_left(runs_out_at, now, credit.policy.zone)}"]


def payable(amount_micros: int, currency: str) -> int:
    """Return an amount rounded up to what can be paid in a currency's smallest coin."""
    coin = minor_unit_micros(currency)
    return -(-amount_micros // coin) * coin


def told_credit(credit: AccountCredit) -> Iterator[tuple[str, str]]:
    """Yield where an account stands, line by line."""
    figures, standing, currency = credit.figures, credit.standing, credit.account.currency

    def told(micros: int) -> str:
        return f"{text_from_micros(micros)} {currency}"

    yield "balance", told(figures.balance_micros)
    if figures.disputed_micros:
        yield "disputed", f"{told(figures.disputed_micros)}, counted as there"
    yield "cut at", told(standing.threshold_micros)
    if standing.warning_level:
        yield "warning", f"level {standing.warning_level}, below {told(standing.warning_micros)}"
    yield "emergency credit", _emergency(credit)
    if figures.debt_micros:
        yield "debt", told(figures.debt_micros)
    if figures.accrued_micros:
        yield "accrued while off", told(figures.accrued_micros)
    if standing.friendly_until is not None:
        local = standing.friendly_until.astimezone(ZoneInfo(credit.policy.zone))
        yield "nobody is cut", f"until {local:%Y-%m-%d %H:%M} {credit.policy.zone}"
    if standing.is_spared:
        yield "nobody is cut", "while a dispute is open, or a notice runs"
    yield "needed to be back on", told(payable(standing.needed_micros, currency))


def told_days_left(runs_out_at: datetime | None, now: datetime, zone: str) -> str:
    """Say when credit runs out, by the account's own habits."""
    if runs_out_at is None:
        return "not known: too little was used so far, or it lasts longer than a year"
    hours = (runs_out_at - now) // timedelta(hours=1)
    return (
        f"in {hours // 24} days {hours % 24} hours ({runs_out_at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone})"
    )


def _emergency(credit: AccountCredit) -> str:
    standing, currency = credit.standing, credit.account.currency
    limit = f"{text_from_micros(standing.emergency_limit_micros)} {currency}"
    match standing.emergency:
        case "taken":
            return f"taken, {text_from_micros(standing.emergency_used_micros)} of {limit} used"
        case "offered":
            return f"{limit} offered"
        case _:
            return f"{limit}, not offered now" if standing.emergency_limit_micros else "none"
