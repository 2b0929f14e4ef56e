"""A process that dies between any two of its steps: before a statement of its own, or around a provider's answer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import psycopg
from psycopg import Connection

from console.payments.port import ChargeOrder, ChargeOutcome
from console.payments.running import Payments
from console.payments.signed_json import SignedCharges


class Killed(BaseException):
    """What no code of ours catches: everything ends where it is, and what was not committed is rolled back."""


@dataclass(slots=True)
class Fuse:
    """Counts the steps of the process's turns, and ends it after `length` of them."""

    length: int
    burnt: int = 0
    is_turning: bool = False

    def step(self) -> None:
        if self.is_turning:
            self.burnt += 1
            if self.burnt == self.length:
                raise Killed


@contextmanager
def killed_after(length: int) -> Iterator[Fuse]:
    """Let turns that are taken inside die after so many steps."""
    fuse = Fuse(length)
    turn, execute, charge = Payments.turn, psycopg.Cursor.execute, SignedCharges.charge

    def turning(self: Payments, connection: Connection[Any]) -> bool:
        fuse.is_turning = True
        try:
            return turn(self, connection)
        finally:
            fuse.is_turning = False

    def executing(self: Any, *arguments: Any, **words: Any) -> Any:
        # Other threads' statements, of the API's that a webhook reaches, are none of the process's steps.
        if threading.current_thread() is threading.main_thread():
            fuse.step()
        return execute(self, *arguments, **words)

    def charging(self: SignedCharges, order: ChargeOrder) -> ChargeOutcome:
        outcome = charge(self, order)
        fuse.step()
        return outcome

    with (
        patch.object(Payments, "turn", turning),
        patch.object(psycopg.Cursor, "execute", executing),
        patch.object(SignedCharges, "charge", charging),
    ):
        yield fuse
