"""Runs the real worker with one thing about to go wrong in it: `python -m tests.streams.launcher [SABOTAGE [N]]`.

The sabotage strikes once, at the N-th occasion.
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from streams import app, applier
from streams.message import Message
from streams.pricing import PricingDrafter
from streams.worker import main


def _at(occasion: int, strike: Callable[[], None]) -> Callable[[], None]:
    """Return what strikes when it is called for the N-th time."""
    count = itertools.count(1)

    def perhaps() -> None:
        if next(count) == occasion:
            strike()

    return perhaps


def raise_in_agent(occasion: int) -> None:
    """An exception nobody expected, in the middle of pricing."""

    def strike() -> None:
        raise RuntimeError("a mistake made for a test")

    _before(PricingDrafter, "prepare", _at(occasion, strike))


def kill_in_gate(occasion: int) -> None:
    """SIGKILL with events appended, positions not moved and nothing committed."""
    _before(applier, "move_positions", _at(occasion, lambda: os.kill(os.getpid(), signal.SIGKILL)))


def kill_after_commit(occasion: int) -> None:
    """SIGKILL when all is committed and nobody was told."""
    _after(applier.Applier, "commit", _at(occasion, lambda: os.kill(os.getpid(), signal.SIGKILL)))


def stop_in_gate(occasion: int) -> None:
    """SIGSTOP while the gate is held."""
    _before(applier, "move_positions", _at(occasion, lambda: os.kill(os.getpid(), signal.SIGSTOP)))


def lose_messages(occasion: int) -> None:
    """Messages get lost between Kafka and the agent, as Faust loses those of an agent that it restarts."""
    original = app.Worker._apply
    count = itertools.count(1)

    async def losing(self: app.Worker, thread: Any, topic: str, one: Any, messages: Sequence[Message]) -> None:
        if len(messages) > 2 and next(count) == occasion:
            messages = messages[2:]
            print("SABOTAGE: two messages lost", flush=True)  # noqa: T201 - the log of this process
        await original(self, thread, topic, one, messages)

    setattr(app.Worker, "_apply", losing)  # noqa: B010 - mypy would have its type parameter too


def _before(place: Any, name: str, hook: Callable[[], None]) -> None:
    original = getattr(place, name)

    def hooked(*arguments: Any, **named: Any) -> Any:
        hook()
        return original(*arguments, **named)

    setattr(place, name, hooked)


def _after(place: Any, name: str, hook: Callable[[], None]) -> None:
    original = getattr(place, name)

    def hooked(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        hook()
        return result

    setattr(place, name, hooked)


SABOTAGES = {
    "raise-in-agent": raise_in_agent,
    "kill-in-gate": kill_in_gate,
    "kill-after-commit": kill_after_commit,
    "stop-in-gate": stop_in_gate,
    "lose-messages": lose_messages,
}

if __name__ == "__main__":
    if len(sys.argv) > 1:
        SABOTAGES[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    sys.exit(main(os.environ))
