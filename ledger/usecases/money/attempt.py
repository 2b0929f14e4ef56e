"""One attempt at a command: what it knows of the accounts, and the events that it comes to."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from ledger.domain import account as account_stream_of
from ledger.domain.account import Account, AccountCredited
from ledger.domain.account_facts import AdvanceTax
from ledger.domain.booking import booked
from ledger.domain.event import Event, Fact
from ledger.store.application import Ledger
from ledger.store.log import Logged
from ledger.store.standing import Standing
from ledger.usecases.codes import checked_code
from ledger.usecases.money.tax_point import advance_taxes
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.identity import account_stream
from ledger.values.money import text_from_micros

OrderedFact = TypeVar("OrderedFact", bound=Fact)


class MoneyCommand(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """A command as data, so that it can wait for a second person; its kind is its tag."""

    @property
    def kind(self) -> str:
        """The command's kind, as the command line and the keys name it."""
        return str(self.__struct_config__.tag)

    @property
    def weighed_micros(self) -> int:
        """What counts against the limit of what one person may decide; most commands need one person only."""
        return 0

    def accounts(self, ledger: Ledger) -> tuple[str, ...]:
        """Return the accounts whose standing it needs, the one that it is about first."""
        raise NotImplementedError

    def decide(self, attempt: "Attempt") -> None:
        """Say what it comes to; raises a LedgerError where it is refused."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who orders a command, why (a code), under which key, when; and who approved it, of which proposal."""

    operator: str
    reason: str
    key: str
    now: datetime
    approved_by: str = ""
    proposal: str = ""
    proposed_key_hash: str = ""

    def check(self) -> None:
        """Raise InvalidValue for words that are no codes."""
        checked_code(self.operator, what="operator")
        checked_code(self.reason, what="reason")
        if self.approved_by:
            checked_code(self.approved_by, what="approver")

    @property
    def key_hash(self) -> str:
        """The SHA-256 of the key, which may hold an outside reference and so never enters an event."""
        return self.proposed_key_hash or hashlib.sha256(self.key.encode()).hexdigest()

    @property
    def words(self) -> dict[str, Any]:
        """What every ordered fact says of its order."""
        return {
            "reason": self.reason,
            "operator": self.operator,
            "key_hash": self.key_hash,
            "approved_by": self.approved_by,
            "proposal": self.proposal,
            "recorded_at": self.now,
        }


@dataclass(slots=True)
class Attempt:
    """The accounts as they stand, and the events so far; `standing` has the accounts that the command names."""

    ledger: Ledger
    by: By
    standing: Standing
    events: list[Event] = field(default_factory=list)
    _versions: dict[UUID, int] = field(default_factory=dict)
    _accounts: dict[str, Account] = field(default_factory=dict)

    def account(self, code: str) -> Account:
        """Return an account, open or closed; raises NotFound."""
        if code not in self._accounts:
            stream = account_stream(code)
            state, version = self.ledger.folded(stream, account_stream_of.evolve, None)
            if state is None:
                raise NotFound(f"there is no account {code!r}; open it first, or check the code")
            self._accounts[code], self._versions[stream] = state, version
        return self._accounts[code]

    def open_account(self, code: str) -> Account:
        """Return an account that is open; raises NotFound, or Refused for a closed one."""
        state = self.account(code)
        if state.is_closed:
            raise Refused(
                f"account {code!r} is closed; late debits are booked still, and `account close` settles them again"
            )
        return state

    def logged(self, position: int) -> Logged:
        """Return the event at a position; raises NotFound."""
        found = self.ledger.event_at(position)
        if found is None:
            raise NotFound(f"there is no event at position {position}; positions are shown by what booked them")
        return found

    def taxes(
        self, account: str, *, change_micros: int, moved_micros: Mapping[str, int] | None = None
    ) -> list[AdvanceTax]:
        """Return what a change of the balance does to the tax on the account's advances.

        `moved_micros` is what the same transaction's lines change of it already, by component.
        """
        standing_micros = self.standing.advance_taxes_micros(account)
        for component, moved in (moved_micros or {}).items():
            standing_micros[component] = standing_micros.get(component, 0) + moved
        return advance_taxes(
            self.ledger,
            account=account,
            balance_micros=self.standing.balance_micros(account) + change_micros,
            standing_micros=standing_micros,
            now=self.by.now,
        )

    def say(self, stream: UUID, fact: Fact) -> None:
        """Add a fact to a stream."""
        if stream not in self._versions:
            self._versions[stream] = self.ledger.folded(stream, lambda count, _: count + 1, 0)[1]
        self._versions[stream] += 1
        self.events.append(Event(stream, self._versions[stream], fact))

    def say_of(self, account: str, fact: Fact) -> None:
        """Add a fact that moves no money to an account's stream."""
        self.account(account)
        self.say(account_stream(account), fact)

    def book_on(self, account: str, fact: OrderedFact) -> OrderedFact:
        """Add a fact to an account's stream with the transaction that it books."""
        with_postings = booked(fact)
        self.say_of(account, with_postings)
        return with_postings


def checked_amount(amount_micros: int, *, what: str, most_micros: int) -> None:
    """Raise InvalidValue for an amount that is not above zero, or is beyond what anybody means."""
    shown = text_from_micros(amount_micros)
    if amount_micros <= 0:
        raise InvalidValue(f"{what} {shown} is not positive; give how much, without a sign")
    if amount_micros > most_micros:
        raise InvalidValue(f"{what} {shown} is above {text_from_micros(most_micros)}, the most at once; check it")


def top_up_at(attempt: Attempt, position: int) -> AccountCredited:
    """Return the top-up at a position; raises NotFound for nothing there, InvalidValue for anything else."""
    fact = attempt.logged(position).fact
    if not isinstance(fact, AccountCredited):
        raise InvalidValue(f"the event at position {position} is {fact.topic}, no top-up; check the position")
    return fact


def content_of(command: msgspec.Struct, by: By) -> dict[str, str]:
    """Return a command as a key remembers it: its arguments, why and who."""
    fields = {name: str(getattr(command, name)) for name in command.__struct_fields__}
    return fields | {"reason": by.reason, "operator": by.operator}
