"""Closing what belongs to a Kafka client, at the end of a block that has something else to say."""

import asyncio
from collections.abc import Awaitable
from typing import Any


async def closed(closing: Awaitable[Any]) -> None:
    """Wait for something to close; what goes wrong in that is of no account.

    A consumer of aiokafka (0.14) lets the cancellation of its own fetch out where the broker is away. Whoever
    waits would take it for the cancellation of its own task, and end in silence.
    """
    await asyncio.gather(closing, return_exceptions=True)
