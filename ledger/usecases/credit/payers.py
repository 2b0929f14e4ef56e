"""One payer for many accounts: who they pay for, and a top-up of all of them in one transaction."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from ledger.domain import account as account_stream_of
from ledger.domain.account import Account, AccountCredited
from ledger.domain.booking import booked
from ledger.domain.event import Event, Fact
from ledger.domain.payer import PayerAccountsSet
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.store.standing import Standing
from ledger.usecases.attempt import Booked, appended, appended_on_standing, checked_key
from ledger.usecases.codes import checked_code
from ledger.usecases.conditions import check_account
from ledger.usecases.credit.crediting import application, check_top_up
from ledger.usecases.credit.policies import terms_of
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.identity import account_stream, payer_stream
from ledger.values.money import text_from_micros

# One transaction while everybody waits for the gate; more accounts are paid for in several.
MOST_ACCOUNTS = 500
MAX_MICROS = 10_000_000 * 1_000_000


def set_payer_accounts(ledger: Ledger, *, payer: str, accounts: Sequence[str], operator: str, now: datetime) -> int:
    """Say whom a payer pays for from here on; return the position. Raises NotFound for an unknown account."""
    checked_code(payer, what="payer")
    checked_code(operator, what="operator")
    if len(set(accounts)) != len(accounts) or len(accounts) > MOST_ACCOUNTS:
        raise InvalidValue(f"a payer pays for at most {MOST_ACCOUNTS} accounts, each named once")
    for account in accounts:
        check_account(ledger, account)
    fact = PayerAccountsSet(payer=payer, accounts=tuple(accounts), operator=operator, recorded_at=now)
    stream = payer_stream(payer)

    def decide() -> Sequence[Event]:
        return [Event(stream, ledger.folded(stream, lambda count, _: count + 1, 0)[1] + 1, fact)]

    return appended(ledger, decide)


def accounts_of_payer(ledger: Ledger, payer: str) -> tuple[str, ...]:
    """Return the accounts that a payer pays for; raises NotFound where nobody ever said."""
    nobody: tuple[str, ...] = ()

    def evolve(accounts: tuple[str, ...], fact: Fact) -> tuple[str, ...]:
        return fact.accounts if isinstance(fact, PayerAccountsSet) else accounts

    accounts, version = ledger.folded(payer_stream(payer), evolve, nobody)
    if not version:
        raise NotFound(f"there is no payer {payer!r}; say whom they pay for: wattledger payer set {payer} ACCOUNT...")
    return accounts


def top_up_all(
    ledger: Ledger, *, payer: str, amounts_micros: Mapping[str, int], channel: str, key: str, now: datetime
) -> Booked:
    """Top up several of a payer's accounts in one transaction: all of them, or none. Amounts in micro-units.

    Raises Refused for an account that the payer does not pay for, and what a top-up of one account raises.
    """
    checked_code(channel, what="channel")
    checked_code(payer, what="payer")
    if not amounts_micros:
        raise InvalidValue(f"payer {payer!r} pays nobody anything; give accounts with their amounts")
    for account, amount_micros in amounts_micros.items():
        if not 0 < amount_micros <= MAX_MICROS:
            raise InvalidValue(f"a top-up of {text_from_micros(amount_micros)} for {account!r} is none; check it")
    content = {account: str(amount) for account, amount in sorted(amounts_micros.items())}
    command = Command(f"payer/{checked_key(key)}", content | {"payer": payer, "channel": channel})

    def decide(standing: Standing) -> Sequence[Event]:
        # Looked at for a new key only: whom they paid for once they need not pay for now.
        _check_known(ledger, payer, amounts_micros)
        return [
            _credit(ledger, account, amount, standing=standing, payer=payer, channel=channel, key=key, now=now)
            for account, amount in amounts_micros.items()
        ]

    return appended_on_standing(ledger, decide, accounts=tuple(amounts_micros), command=command)


def _check_known(ledger: Ledger, payer: str, accounts: Iterable[str]) -> None:
    strangers = sorted(set(accounts) - set(accounts_of_payer(ledger, payer)))
    if strangers:
        raise Refused(f"payer {payer!r} does not pay for {', '.join(map(repr, strangers))}; say so first: payer set")


def _credit(
    ledger: Ledger,
    account: str,
    amount_micros: int,
    *,
    standing: Standing,
    payer: str,
    channel: str,
    key: str,
    now: datetime,
) -> Event:
    found, version = ledger.folded(account_stream(account), account_stream_of.evolve, None)
    state: Account | None = found
    if state is None or state.is_closed:
        raise Refused(f"account {account!r} is closed; take it out of what payer {payer!r} pays for")
    policy = terms_of(ledger, state, now=now).policy
    check_top_up(policy, amount_micros)
    words = application(ledger, account=state, standing=standing, policy=policy, amount_micros=amount_micros, now=now)
    fact = AccountCredited(
        account=account,
        amount_micros=amount_micros,
        channel=channel,
        reference_hash="",
        key_hash=hashlib.sha256(key.encode()).hexdigest(),
        payer=payer,
        recorded_at=now,
        **words,
    )
    return Event(account_stream(account), version + 1, booked(fact))
