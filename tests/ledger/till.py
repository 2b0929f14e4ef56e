"""A till beside a ledger: accounts topped up, used up and put right in a line each, amounts in currency units.

`till.uses("a-1", 30)` is a debit of 30.00 without any metering, in a stream of its own.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

from psycopg import Connection

from ledger.domain.booking import booked
from ledger.domain.event import Event, Fact
from ledger.domain.meter import MeterState, Source, UsageDebited
from ledger.domain.supply import SupplyOccupied, SupplyRegistered
from ledger.rating.lines import Counters, Line
from ledger.store.application import Ledger
from ledger.store.log import head_of, read_log
from ledger.usecases.accounts import open_account, top_up
from ledger.usecases.money.attempt import By, MoneyCommand
from ledger.usecases.money.carrying_out import carry_out
from ledger.values.identity import meter_stream, reading_id, supply_stream
from ledger.values.money import micros_from_decimal
from tests.ledger.builders import MOVED_IN


def micros(amount: Decimal | float | str) -> int:
    return micros_from_decimal(Decimal(str(amount)))


@dataclass(slots=True)
class Till:
    """Whoever sits at it is li; keys are new each time unless they are given."""

    ledger: Ledger
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    prefix: str = ""

    def opens(self, *accounts: str, site: str = "north", currency: str = "CNY") -> None:
        for account in accounts:
            open_account(self.ledger, account=account, site=site, currency=currency, now=MOVED_IN)

    def tops_up(self, account: str, amount: Decimal | float | str, **words: Any) -> int:
        """Return the position of the top-up."""
        now = words.pop("now", MOVED_IN)
        return top_up(
            self.ledger,
            account=account,
            amount_micros=micros(amount),
            channel="kiosk",
            key=f"{self.prefix}top-up-{next(self.numbers)}",
            now=now,
            **words,
        ).position

    def uses(self, account: str, amount: Decimal | float | str, *, at_payment: bool = False) -> int:
        """Debit an account that occupies a supply point, 13 in 113 of it tax; return the position."""
        total = micros(amount)
        tax = total * 13 // 113
        lines = [
            Line("energy", "1", "kWh", "1", total - tax, "flat", 1),
            Line("vat", "1", "%", "13", tax, "flat", 1, tax=True, at_payment=at_payment),
        ]
        number = next(self.numbers)
        supply = f"supply-of-{account}-{number}"
        fact = UsageDebited(
            supply=supply,
            account=account,
            meter="m",
            reading=reading_id(meter=supply, registers="import", read_at=MOVED_IN),
            started_at=MOVED_IN,
            ended_at=MOVED_IN,
            usage_milliwh=1_000_000,
            quality="measured",
            profile="acrel_ddsy1352",
            raw="",
            before=Counters(),
            lines=lines,
            amount_micros=total,
            postings=[],
            source=Source(0, number, MOVED_IN, "edge-1", number),
            state=MeterState(counters=Counters("2026-03")),
            recorded_at=MOVED_IN,
        )
        return self.debits(fact)

    def debits(self, fact: Fact) -> int:
        """Append a debit of a supply point of its own, which its account occupies; return the position."""
        supply, account = fact.supply, fact.account  # type: ignore[attr-defined]
        told = (
            SupplyRegistered(supply=supply, site="north", concentrator="c1", recorded_at=MOVED_IN),
            SupplyOccupied(
                supply=supply, account=account, occupied_from=MOVED_IN, opening_milliwh=0, recorded_at=MOVED_IN
            ),
        )
        events = [Event(supply_stream(supply), version, one) for version, one in enumerate(told, 1)]
        return self.ledger.append(*events, Event(meter_stream(supply), 1, booked(fact)))

    def orders(self, command: MoneyCommand, *, key: str = "", reason: str = "test", **words: Any) -> int:
        """Carry a command out; return the position."""
        return carry_out(self.ledger, command, by=self.by(key=key, reason=reason, **words)).position

    def by(self, *, key: str = "", reason: str = "test", operator: str = "li", **words: Any) -> By:
        key = key or f"{self.prefix}key-{next(self.numbers)}"
        now = words.pop("now", MOVED_IN)
        return By(operator=operator, reason=reason, key=key, now=now, **words)

    def balance(self, account: str) -> Decimal:
        return Decimal(self.ledger.standing([account]).balance_micros(account)).scaleb(-6)

    def debt(self, account: str) -> Decimal:
        return Decimal(self.ledger.standing([account]).debt_micros(account)).scaleb(-6)

    def stands(self, account: str, *, balance: int, debt: int | Decimal) -> bool:
        return self.balance(account) == balance and self.debt(account) == debt

    def advance_tax(self, account: str) -> Decimal:
        return Decimal(sum(self.ledger.standing([account]).advance_taxes_micros(account).values())).scaleb(-6)


def books(connection: Connection[Any]) -> dict[str, Decimal]:
    """Every code's sum that is not zero, from the events themselves."""
    sums: dict[str, int] = {}
    for entry in read_log(connection, after=0, limit=100_000):
        for posting in getattr(entry.fact, "postings", ()):
            sums[posting.code] = sums.get(posting.code, 0) + posting.amount_micros
    return {code: Decimal(amount).scaleb(-6) for code, amount in sorted(sums.items()) if amount}


def newest(connection: Connection[Any]) -> Fact:
    head, _ = head_of(connection)
    return read_log(connection, after=head - 1)[0].fact


def head(connection: Connection[Any]) -> int:
    return head_of(connection)[0]
