"""Bringing a pricing snapshot up to the newest control change, for whoever keeps one."""

from collections.abc import Callable
from typing import Any

from psycopg import Connection

from ledger.domain.event import Fact
from ledger.domain.snapshot import PricingSnapshot
from ledger.store.log import head_of, read_priced_by_log

_PAGE_EVENTS = 5_000


def catch_up(
    connection: Connection[Any], snapshot: PricingSnapshot, *, each: Callable[[Fact], None] = lambda _: None
) -> None:
    """Apply the control changes that a snapshot has not taken in yet; `each` is told of every one."""
    head, control_head = head_of(connection)
    while snapshot.position < control_head:
        page = read_priced_by_log(connection, after=snapshot.position, upto=head, limit=_PAGE_EVENTS)
        for entry in page:
            snapshot.apply(entry.fact)
            each(entry.fact)
        snapshot.position = page[-1].position if page else head
