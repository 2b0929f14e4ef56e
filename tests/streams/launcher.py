"""Runs the real worker with one thing about to go wrong in it: `python -m tests.streams.launcher [SABOTAGE [N]]`.

The sabotage strikes once, at the N-th occasion.
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from faust.types import TP

from streams import app, applier
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
    _before(PricingDrafter, "adopt", _at(occasion, lambda: os.kill(os.getpid(), signal.SIGKILL)))


def stop_in_gate(occasion: int) -> None:
    """SIGSTOP while the gate is held."""
    _before(applier, "move_positions", _at(occasion, lambda: os.kill(os.getpid(), signal.SIGSTOP)))


def skip_offsets(occasion: int) -> None:
    """The consumer jumps over messages that were never read."""
    original = app.Worker._apply
    count = itertools.count(1)

    async def skipping(self: app.Worker, *arguments: Any) -> None:
        await original(self, *arguments)
        last = arguments[3][-1]
        if next(count) == occasion:
            await self.app.consumer.seek_wait({TP(last.partition.topic, last.partition.number): last.offset + 3})
            print("SABOTAGE: skipped", flush=True)  # noqa: T201 - the log of this process

    app.Worker._apply = skipping  # type: ignore[method-assign]


def _before(place: Any, name: str, hook: Callable[[], None]) -> None:
    original = getattr(place, name)

    def hooked(*arguments: Any, **named: Any) -> Any:
        hook()
        return original(*arguments, **named)

    setattr(place, name, hooked)


SABOTAGES = {
    "raise-in-agent": raise_in_agent,
    "kill-in-gate": kill_in_gate,
    "kill-after-commit": kill_after_commit,
    "stop-in-gate": stop_in_gate,
    "skip-offsets": skip_offsets,
}

if __name__ == "__main__":
    if len(sys.argv) > 1:
        SABOTAGES[sys.argv[1]](int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    sys.exit(main(os.environ))
