"""Where an account stands by its policy, at the ledger's head."""

from dataclasses import dataclass
from datetime import datetime

from ledger.domain import account as account_stream_of
from ledger.domain.account import Account
from ledger.domain.credit.policy import CreditPolicy
from ledger.domain.credit.standing import AccountFigures, CreditStanding, credit_standing
from ledger.store.application import Ledger
from ledger.store.standing import Standing
from ledger.usecases.credit.policies import terms_of
from ledger.values.errors import NotFound
from ledger.values.identity import account_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCredit:
    """An account with its figures, its policy and where it stands by it."""

    account: Account
    figures: AccountFigures
    policy: CreditPolicy
    standing: CreditStanding


def figures_of(account: Account, standing: Standing) -> AccountFigures:
    """Return an account's figures; what time alone charged is known to the read models only."""
    return AccountFigures(
        balance_micros=standing.balance_micros(account.code),
        disputed_micros=sum(row.amount_micros for row in account.disputes.values()),
        is_disputed=bool(account.disputes),
        notice_until=account.notice_until,
        debt_micros=standing.debt_micros(account.code),
        accrued_micros=standing.accrued_micros(account.code),
        emergency_limit_micros=0 if account.emergency is None else account.emergency.limit_micros,
        collected_micros=account.collected_micros,
        collected_week=account.collected_week,
    )


def account_credit(ledger: Ledger, *, account: str, now: datetime) -> AccountCredit:
    """Return where an account stands; raises NotFound, and BalancesBehind where balances are not known so far."""
    state: Account | None = ledger.folded(account_stream(account), account_stream_of.evolve, None)[0]
    if state is None:
        raise NotFound(f"there is no account {account!r}; open it first, or check the code")
    figures = figures_of(state, ledger.standing([account]))
    policy = terms_of(ledger, state, now=now).policy
    return AccountCredit(
        account=state, figures=figures, policy=policy, standing=credit_standing(policy, figures, now)
    )
