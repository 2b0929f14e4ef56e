"""Accounts: open one, top it up."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec

from ledger.domain import account as account_stream_of
from ledger.domain import chart
from ledger.domain.account import Account, AccountCredited, AccountOpened
from ledger.domain.booking import booked
from ledger.domain.event import Event, Fact
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.store.standing import BalancesBehind, Standing
from ledger.usecases.attempt import Booked, appended, appended_on_standing, appended_once, checked_key
from ledger.usecases.codes import checked_code, checked_currency, checked_reference_hash
from ledger.usecases.credit.crediting import application, check_top_up
from ledger.usecases.credit.policies import terms_of
from ledger.usecases.money.selling import sale
from ledger.usecases.money.tax_point import shares_of
from ledger.usecases.relays import consents_with_top_up
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.identity import account_stream
from ledger.values.money import text_from_micros

# A top-up beyond this is a slip of the keyboard; it is a thousand times a large household's yearly bill.
MAX_TOP_UP_MICROS = 10_000_000 * 1_000_000


def open_account(ledger: Ledger, *, account: str, site: str, currency: str, now: datetime) -> int:
    """Open an account and return the position; raises Refused where it is open already."""
    checked_code(account, what="account")
    checked_code(site, what="site")
    checked_currency(currency)
    stream = account_stream(account)

    def decide() -> Sequence[Event]:
        state, version = ledger.folded(stream, account_stream_of.evolve, None)
        if state is not None:
            raise Refused(f"account {account!r} is open already; choose another code")
        return [
            Event(stream, version + 1, AccountOpened(account=account, site=site, currency=currency, recorded_at=now))
        ]

    return appended(ledger, decide)


def top_up(  # noqa: PLR0913 - each is the caller's to say
    ledger: Ledger,
    *,
    account: str,
    amount_micros: int,
    channel: str,
    key: str,
    now: datetime,
    reference_hash: str = "",
    is_cleared: bool = False,
    is_paid: bool = False,
    consent: bool = False,
    agent: str = "",
) -> Booked:
    """Credit an account once per idempotency key, by its credit policy's order; amount in micro-units.

    With `consent` the consumer says, with the top-up, that their appliances are off and may be switched on.

    `is_cleared` says that the channel's provider has the money still, and will pay it out. It is paid already then,
    and so is what `is_paid`: the policy's least and most of a top-up do not refuse it.

    An `agent` took the money in: the receipt gets the agent's next number, and the agent's commission and the cash
    that they hold are booked with it.

    The same key with the same content returns the first result. Raises InvalidValue for an amount that is not above
    zero or absurdly large, NotFound for an unknown account or agent, Refused for a closed one, FloatExceeded for an
    agent who holds too much, Conflict for a key that came with other content.
    """
    _check_amount(amount_micros)
    checked_key(key)
    checked_reference_hash(reference_hash)
    checked_code(channel, what="channel")
    if agent and is_cleared:
        raise InvalidValue("what an agent took in is in their hands, not at a provider; give one of both")
    stream = account_stream(account)
    content = {
        "account": account,
        "amount_micros": str(amount_micros),
        "channel": channel,
        "reference_hash": reference_hash,
    }
    # What is left out does not change what a key of an older version asked for.
    rest = {"is_cleared": "True" if is_cleared else "", "consent": "True" if consent else "", "agent": agent}
    content |= {name: text for name, text in rest.items() if text}
    command = Command(key=f"top-up/{key}", content=content)

    def decide(standing: Standing | None) -> Sequence[Event]:
        found, version = ledger.folded(stream, account_stream_of.evolve, None)
        state = _known(found, account)
        _check_open(state)
        policy = terms_of(ledger, state, now=now).policy
        if not (is_cleared or is_paid):
            check_top_up(policy, amount_micros)
        fact = AccountCredited(
            account=account,
            amount_micros=amount_micros,
            channel=channel,
            reference_hash=reference_hash,
            key_hash=hashlib.sha256(key.encode()).hexdigest(),
            source=chart.clearing(channel) if is_cleared else "",
            recorded_at=now,
        )
        if standing is not None:
            words = application(
                ledger, account=state, standing=standing, policy=policy, amount_micros=amount_micros, now=now
            )
            fact = msgspec.structs.replace(fact, **words)
        fact, sold = _sold_by(ledger, agent, fact, account=state) if agent else (fact, [])
        consents = consents_with_top_up(ledger, account=account, channel=channel, now=now) if consent else []
        # The credit last, right after its sale: where the command stands in the ledger is where its credit does.
        return [*consents, *sold, Event(stream, version + 1, booked(fact))]

    try:
        return appended_on_standing(ledger, decide, accounts=(account,), command=command)
    except BalancesBehind:
        if (
            shares_of(ledger, account=account, now=now)
            or terms_of(ledger, account_of(ledger, account), now=now).is_set
        ):
            raise
        # Only what the receipt tells depends on the balance here: read models that are behind hold no money up.
        return appended_once(ledger, lambda: decide(None), command=command)


def _sold_by(
    ledger: Ledger, agent: str, fact: AccountCredited, *, account: Account
) -> tuple[AccountCredited, list[Event]]:
    """Return a top-up as an agent's sale, and the event of that."""
    made = sale(ledger, agent=agent, account=account, amount_micros=fact.amount_micros, now=fact.recorded_at)
    numbered = msgspec.structs.replace(fact, source=made.source, agent=made.agent, receipt_number=made.receipt_number)
    return numbered, [made.event]


def account_of(ledger: Ledger, account: str) -> Account:
    """Return an account as its own events leave it; raises NotFound."""
    return _known(ledger.folded(account_stream(account), account_stream_of.evolve, None)[0], account)


def references_of(ledger: Ledger, account: str) -> frozenset[str]:
    """Return the keyed hashes of the outside references of an account's top-ups."""
    nothing: frozenset[str] = frozenset()

    def with_its(found: frozenset[str], fact: Fact) -> frozenset[str]:
        return found | {fact.reference_hash} if isinstance(fact, AccountCredited) and fact.reference_hash else found

    return ledger.folded(account_stream(account), with_its, nothing)[0]


def _check_amount(amount_micros: int) -> None:
    shown = text_from_micros(amount_micros)
    if amount_micros <= 0:
        raise InvalidValue(f"amount {shown} is not positive; a top-up adds money, what was paid out is no top-up")
    if amount_micros > MAX_TOP_UP_MICROS:
        raise InvalidValue(
            f"amount {shown} is above {text_from_micros(MAX_TOP_UP_MICROS)}, the most of one top-up; check it"
        )


def _check_open(state: Account) -> None:
    if state.is_closed:
        raise Refused(
            f"account {state.code!r} is closed; top another one up, or collect what this one owes: account collect"
        )


def _known(state: Account | None, account: str) -> Account:
    if state is None:
        raise NotFound(f"there is no account {account!r}; open it first, or check the code")
    return state
