"""An account with a bound card at the sandbox, whose clock a test moves; the process's own turns."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import tuple_row

from console.payments import charges, methods
from console.payments.charging import Charging
from console.payments.port import Charges
from console.payments.running import Payments
from console.payments.signed_json import SignedCharges
from console.sandbox.server import SandboxServer, SandboxSettings, running
from ledger.domain.autopay import ChargeFailed, Every
from ledger.store.log import read_control_log
from ledger.usecases.autopay import Saying, set_caps, set_schedule, set_threshold
from projections.pace import Pace
from projections.runner import Runner
from tests.ledger.till import micros
from tests.payments.shop import REFERENCE_KEY, SANDBOX_SECRET, Shop

PROVIDER = "sandbox"
# In UTC, the zone of an account without a policy; later than the real clock, by which deliveries come in.
EARLY = datetime(2100, 11, 28, 4, tzinfo=UTC)


@dataclass(slots=True)
class Desk:
    """Accounts with bound cards; `now` is what the process's clock says."""

    shop: Shop
    sandbox: SandboxServer
    people: Connection[Any]
    projecting: Connection[Any]
    now: datetime = EARLY
    runner: Runner = field(default_factory=Runner)
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    payments: Payments = field(init=False)

    def __post_init__(self) -> None:
        self.payments = self.process()

    def process(self, provider: Charges | None = None) -> Payments:
        """The process as it starts, with the sandbox or another provider."""
        asked = SignedCharges(self.sandbox.charge_url, [SANDBOX_SECRET]) if provider is None else provider
        charging = Charging(ledger=self.shop.ledger, providers={PROVIDER: asked}, reference_key=REFERENCE_KEY)
        return Payments(ledger=self.shop.ledger, charging=charging, look=Pace(0), now=lambda: self.now)

    def account(self, token: str = "tok_succeeds", *, balance: int = 0) -> str:
        """A new account with a card that this token names."""
        account = self.shop.new_account()
        if balance:
            self.shop.till.tops_up(account, balance)
        self.binds(account, token)
        return account

    def binds(self, account: str, token: str, method: str = "card-1") -> None:
        methods.bind(
            self.people,
            self.shop.till.ledger,
            by=self.saying(account),
            method=method,
            provider=PROVIDER,
            token=token,
            reference_key=REFERENCE_KEY,
        )

    def saying(self, account: str) -> Saying:
        return Saying(account=account, operator="li", now=self.now)

    def below(self, account: str, below: Any = 5, amount: Any = 20, method: str = "card-1") -> None:
        set_threshold(
            self.shop.till.ledger,
            by=self.saying(account),
            method=method,
            amount_micros=micros(amount),
            below_micros=micros(below),
        )

    def every(self, account: str, every: Every, from_date: date, amount: Any = 20) -> None:
        set_schedule(
            self.shop.till.ledger,
            by=self.saying(account),
            method="card-1",
            amount_micros=micros(amount),
            every=every,
            from_date=from_date,
        )

    def caps(self, account: str, day: Any, month: Any) -> None:
        set_caps(self.shop.till.ledger, by=self.saying(account), day_micros=micros(day), month_micros=micros(month))

    def projects(self) -> None:
        while self.runner.turn(self.projecting):
            pass

    def turns(self, *, after: timedelta = timedelta(0), payments: Payments | None = None) -> None:
        """Let the read models catch up and the process do all that is due some time later."""
        self.now += after
        self.projects()
        while (payments or self.payments).turn(self.shop.worker):
            self.projects()

    def until(self, is_so: Callable[[], bool], *, what: str, payments: Payments | None = None) -> None:
        """Take turns until a webhook that is under way has come to something."""
        for _ in range(400):
            self.turns(payments=payments)
            if is_so():
                return
            self.sandbox.teller.is_stopping.wait(0.01)
        raise AssertionError(f"waited for {what}")

    def balance(self, account: str) -> Any:
        return self.shop.balance(account)

    def charged(self, account: str) -> int:
        """How often the sandbox took money for an account."""
        return sum(one.request.account == account for one in self.sandbox.till.charged())

    def asked(self, account: str) -> list[str]:
        """The keys under which the sandbox was asked for an account, in order."""
        return [one.request.key for one in self.sandbox.till.taken.values() if one.request.account == account]

    def states(self, account: str) -> list[str]:
        """The states of an account's charges, the oldest first."""
        return [one.state for one in reversed(self.charges(account))]

    def charges(self, account: str) -> list[charges.Charge]:
        return charges.newest(self.shop.worker, account=account)

    def failures(self, account: str) -> list[ChargeFailed]:
        """What the ledger says of an account's failed attempts."""
        facts = [entry.fact for entry in read_control_log(self.shop.worker, after=0, limit=100_000)]
        return [fact for fact in facts if isinstance(fact, ChargeFailed) and fact.account == account]

    def heard(self, account: str) -> list[tuple[str, str]]:
        """The news of an account and their state, as they came by webhook."""
        with self.shop.worker.cursor(row_factory=tuple_row) as cursor:
            query = (
                "SELECT news, state FROM payments.deliveries WHERE account = %s AND event LIKE 'pay_%%' ORDER BY id"
            )
            return list(cursor.execute(query, (account,)).fetchall())


@contextmanager
def opened(shop: Shop) -> Iterator[Desk]:
    """A desk at a shop, with a sandbox of its own that tells the shop's API."""
    settings = SandboxSettings(
        port=0, webhook_url=f"{shop.address}/v1/webhooks/{PROVIDER}", secret=SANDBOX_SECRET, late_s=0.3
    )
    with (
        running(settings) as sandbox,
        psycopg.connect(shop.database.url("wattledger_people"), autocommit=True) as people,
        psycopg.connect(shop.database.url("wattledger_projector"), autocommit=True) as projecting,
    ):
        desk = Desk(shop, sandbox, people, projecting)
        desk.runner.begin(projecting)
        yield desk
