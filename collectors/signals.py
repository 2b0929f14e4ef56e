"""Running a process's work until a signal ends it."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any


async def until_stopped(
    work: Coroutine[Any, Any, None], *, on_usr1: Callable[[], None], on_hup: Callable[[], None] | None = None
) -> None:
    """Run `work` until it ends or SIGTERM or SIGINT cancels it. Raises what it raises.

    SIGUSR1 calls `on_usr1`, SIGHUP `on_hup` where that is given.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)
    loop.add_signal_handler(signal.SIGUSR1, on_usr1)
    if on_hup is not None:
        loop.add_signal_handler(signal.SIGHUP, on_hup)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await task
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
            loop.remove_signal_handler(number)
