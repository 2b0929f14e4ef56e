"""What a top-up's event says of its application: what it went to by the account's policy, and what that changes."""

from datetime import datetime
from typing import TypedDict

from ledger.domain.account import Account, AccountCredited
from ledger.domain.account_facts import AdvanceTax
from ledger.domain.credit.applying import Applied, applied, is_repaid, to_balance_micros
from ledger.domain.credit.friendly import local_week
from ledger.domain.credit.policy import CreditPolicy
from ledger.store.application import Ledger
from ledger.store.standing import Standing
from ledger.usecases.credit.standing import figures_of
from ledger.usecases.money.tax_point import advance_taxes
from ledger.values.errors import InvalidValue
from ledger.values.money import text_from_micros


class Application(TypedDict):
    """The fields of `account.credited` that say it."""

    applied: list[Applied]
    week: str
    is_repaid: bool
    taxes: list[AdvanceTax]


def application(
    ledger: Ledger, *, account: Account, standing: Standing, policy: CreditPolicy, amount_micros: int, now: datetime
) -> Application:
    """Apply a top-up of so much (micro-units) to an account as it stands."""
    figures, week = figures_of(account, standing), local_week(policy.zone, now)
    lines = applied(policy, figures, amount_micros, week=week)
    change_micros = to_balance_micros(lines)
    taxes = advance_taxes(
        ledger,
        account=account.code,
        balance_micros=figures.balance_micros + change_micros,
        standing_micros=standing.advance_taxes_micros(account.code),
        now=now,
    )
    repaid = account.emergency is not None and is_repaid(policy, figures.usable_micros + change_micros)
    return Application(applied=lines, week=week, is_repaid=repaid, taxes=taxes)


def application_at(ledger: Ledger, position: int) -> list[Applied]:
    """Return what the top-up at a position went to; nothing where that was not known."""
    found = ledger.event_at(position)
    return found.fact.applied if found is not None and isinstance(found.fact, AccountCredited) else []


def check_top_up(policy: CreditPolicy, amount_micros: int) -> None:
    """Raise InvalidValue for a top-up below the least or above the most that the policy takes at once."""
    shown, most = text_from_micros(amount_micros), policy.top_up_most_micros
    if amount_micros < policy.top_up_least_micros:
        raise InvalidValue(
            f"a top-up of {shown} is below {text_from_micros(policy.top_up_least_micros)}, the least by the credit"
            " policy; give at least so much"
        )
    if most is not None and amount_micros > most:
        raise InvalidValue(
            f"a top-up of {shown} is above {text_from_micros(most)}, the most at once by the credit policy;"
            " give less, or in several top-ups"
        )
