"""How the demo's consumers pay: at a kiosk through the HTTP API, and online, of which a provider's webhook tells.

What is printed for people to try is made here too, so that it is the very address and key that the demo uses.
"""

import http.client
import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import psycopg

from console.api.keys import create_key
from console.demo.estate import CURRENCY, ROOM_TO_TRY
from console.errors import ServiceFailed
from console.payments.signatures import signed_headers
from console.sandbox.beside import PROVIDER, SIGNED_WITH
from ledger.values.money import text_from_micros

_HOST = "127.0.0.1"
_TIMEOUT_S = 20.0
_TRIED_FOR_S = 10.0
# What a top-up went to, as the API names it, in the words of a kiosk.
_PARTS = {"emergency": "emergency credit", "accrued": "accrued charges", "below-threshold": "use beyond the limit"}


@dataclass(frozen=True, slots=True)
class Till:
    """The API at a port of this machine, with a key of the demo's kiosk and the secret of its payment provider."""

    port: int
    key: str = field(repr=False)
    secret: str = field(repr=False)

    @classmethod
    def opened(cls, *, port: int, writer_url: str, providers: Mapping[str, str]) -> "Till":
        """Make the kiosk's API key, and return the till."""
        with psycopg.connect(writer_url, autocommit=True) as connection:
            key = create_key(
                connection,
                name="demo-kiosk",
                scopes=["kiosk", "finance"],
                requests_per_minute=600,
                operator="demo",
            )
        return cls(port, key, providers[SIGNED_WITH])

    @property
    def address(self) -> str:
        """Where the API is."""
        return f"http://{_HOST}:{self.port}"

    def at_kiosk(self, account: str, amount_micros: int, key: str) -> str:
        """Top an account up through the API, once per key; the consumer says that appliances are off.

        Returns what it went to, in the order in which it was applied.
        """
        body = {"amount": text_from_micros(amount_micros), "channel": "kiosk", "consent": True}
        answer = self._sent(f"/v1/accounts/{account}/top-ups", body, self._authorized | {"Idempotency-Key": key})
        return ", ".join(f"{_PARTS.get(part['part'], part['part'])} {part['amount']}" for part in answer["applied"])

    def online(self, account: str, amount_micros: int, key: str) -> None:
        """Tell, as a payment provider would, that somebody paid online for an account."""
        now = datetime.now(UTC)
        told = {
            "id": f"news-of-{key}",
            "type": "succeeded",
            "payment": key,
            "amount": text_from_micros(amount_micros),
            "currency": CURRENCY,
            "at": now.isoformat(),
            "account": account,
        }
        body = json.dumps(told).encode()
        self._sent(f"/v1/webhooks/{PROVIDER}", body, signed_headers(body, secret=self.secret, now=now))

    def bind_card(self, account: str, *, token: str, amount_micros: int, below_micros: int) -> None:
        """Let an account's card be charged whenever its balance is below an amount, as the consumers' app does."""
        amount, below = text_from_micros(amount_micros), text_from_micros(below_micros)
        card = {"method": "card-1", "provider": PROVIDER, "token": token}
        self._sent(f"/v1/accounts/{account}/autopay/methods", card, self._authorized)
        threshold = {"method": "card-1", "amount": amount, "below": below}
        self._sent(f"/v1/accounts/{account}/autopay/threshold", threshold, self._authorized)

    def paper(self, path: str) -> bytes:
        """Return a receipt or a statement as the API gives it."""
        return self._answer("GET", path, b"", self._authorized)

    def lines_to_try(self) -> list[str]:
        """Return three commands that work as they stand while the demo runs."""
        account = f"{self.address}/v1/accounts/account-{ROOM_TO_TRY.removeprefix('room-')}"
        bearer = f"Authorization: Bearer {self.key}"
        month = f"{datetime.now(UTC):%Y-%m}"
        top_up = ("-X", "POST", "-H", "Idempotency-Key: by-hand-1", "-H", "Content-Type: application/json")
        return [
            shlex.join(["curl", "-H", bearer, account]),
            shlex.join(["curl", "-H", bearer, *top_up, "-d", '{"amount": "25.00"}', f"{account}/top-ups"]),
            shlex.join(["curl", "-H", bearer, f"{account}/statements/{month}?form=html&language=zh"]),
        ]

    @property
    def _authorized(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def _sent(self, path: str, body: dict[str, Any] | bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer: dict[str, Any] = json.loads(
            self._answer("POST", path, data, {"Content-Type": "application/json", **headers})
        )
        return answer

    def _answer(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """Ask until it is answered: again under the same key, as every till does that heard nothing, or "later"."""
        deadline = time.monotonic() + _TRIED_FOR_S
        while True:
            try:
                return self._answered_once(method, path, body, headers)
            except ServiceFailed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _answered_once(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        connection = http.client.HTTPConnection(_HOST, self.port, timeout=_TIMEOUT_S)
        try:
            connection.request(method, path, body=body or None, headers=dict(headers))
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServiceFailed(f"the API does not answer at {self.address}{path}: {error}") from None
        finally:
            connection.close()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise ServiceFailed(f"the API answered {answer.status} to {path}: {content.decode(errors='replace')}")
        return content
