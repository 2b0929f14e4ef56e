"""Running works side by side, and ending them for certain."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from collectors.errors import LinkLost

_CANCEL_AGAIN_S = 0.5


async def first_to_fail(*works: Coroutine[Any, Any, None]) -> None:
    """Run works side by side until all have ended or one fails; then end the others and raise its error."""
    tasks = [asyncio.create_task(uncancelled(work)) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await end(tasks)


async def uncancelled(work: Coroutine[Any, Any, None]) -> None:
    """Do a work; raises LinkLost where it ends as cancelled though nobody cancelled it.

    aiokafka cancels what waits on a connection that it closes itself. Passed on, that would end us in silence.
    """
    try:
        await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise LinkLost("the client gave up on its connection") from None


async def end(tasks: "Iterable[asyncio.Task[None]]") -> None:
    """Cancel tasks and return when all have ended, whatever they raise.

    Again and again: `asyncio.wait_for`, which the libraries use, swallows a cancellation on Python 3.11 that comes
    together with what it waits for.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=_CANCEL_AGAIN_S)
        await asyncio.gather(*done, return_exceptions=True)
