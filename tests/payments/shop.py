"""The shop of the tests: a provider that delivers over HTTP, what it signs with, and what is booked of it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec
import requests
from psycopg import Connection
from psycopg.rows import tuple_row

from console.payments.booking import book_next
from console.payments.signatures import signed_headers
from ledger.store.application import Ledger
from tests.ledger.till import Till, books
from tests.services.postgres import Database

SECRET, OLDER_SECRET = "newest-secret-of-the-shop", "older-secret-of-the-shop"
STRIPE_SECRET, OLDER_STRIPE_SECRET = "whsec_newest_of_the_endpoint", "whsec_older_of_the_endpoint"
SANDBOX_SECRET = "newest-secret-of-the-sandbox"
REFERENCE_KEY = "5a" * 32
ENVIRON = {
    "WATTLEDGER_WEBHOOK_SECRETS_SHOP": f"{SECRET} {OLDER_SECRET}",
    "WATTLEDGER_STRIPE_WEBHOOK_SECRETS": f"{STRIPE_SECRET} {OLDER_STRIPE_SECRET}",
    "WATTLEDGER_WEBHOOK_SECRETS_SANDBOX": SANDBOX_SECRET,
    "WATTLEDGER_REFERENCE_KEY": REFERENCE_KEY,
}
CLEARING, FEES = "assets:clearing:shop", "expenses:provider-fees:shop"
UNIDENTIFIED = "liabilities:unidentified-receipts"
DETAILS = "application/problem+json"
JSON = dict[str, Any]


@dataclass(slots=True)
class Shop:
    """A provider's shop: it delivers, and what it delivered is booked when a test says so."""

    address: str
    database: Database
    till: Till
    worker: Connection[Any]
    ledger: Ledger
    """The ledger as the process `payments` has it, in its own database role."""
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def new_account(self, **words: Any) -> str:
        account = f"shopper-{next(self.numbers)}"
        self.till.opens(account, **words)
        return account

    def new_payment(self) -> str:
        return f"pay_{next(self.numbers)}"

    def news(self, kind: str, payment: str, *, amount: str = "25.00", **words: Any) -> JSON:
        return {
            "id": f"evt_{next(self.numbers)}",
            "type": kind,
            "payment": payment,
            "amount": amount,
            "currency": "CNY",
            "at": "2026-03-01T12:00:00Z",
        } | words

    def delivers(
        self,
        news: JSON | bytes,
        *,
        secret: str = SECRET,
        age_s: int = 0,
        provider: str = "shop",
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        body = news if isinstance(news, bytes) else msgspec.json.encode(news)
        signed_at = datetime.now(UTC) - timedelta(seconds=age_s)
        given = signed_headers(body, secret=secret, now=signed_at) if headers is None else headers
        return requests.post(f"{self.address}/v1/webhooks/{provider}", data=body, headers=given, timeout=10)

    def books_all(self, *, after: timedelta = timedelta(seconds=1)) -> list[str]:
        """Book whatever is due by some time from now; return what became of each."""
        now = datetime.now(UTC) + after
        states: list[str] = []
        while done := book_next(self.worker, self.ledger, now=now):
            states.append(done.state)
        return states

    def tells(self, *all_news: JSON) -> list[str]:
        """Deliver, each accepted, and book."""
        for news in all_news:
            answer = self.delivers(news)
            assert answer.status_code == 202, answer.text
        return self.books_all()

    def balance(self, account: str) -> Decimal:
        return self.till.balance(account)

    def rows(self, payment_events: list[JSON]) -> list[tuple[Any, ...]]:
        """State and detail of the deliveries with these ids, in their order."""
        found = []
        with self.worker.cursor(row_factory=tuple_row) as cursor:
            for news in payment_events:
                cursor.execute("SELECT state, detail FROM payments.deliveries WHERE event = %s", (news["id"],))
                found += cursor.fetchall()
        return found

    def books(self) -> dict[str, Decimal]:
        """Every code's sum over the whole ledger; they must be zero together."""
        sums = books(self.worker)
        assert sum(sums.values()) == 0
        return sums
