"""How long people waited: from a top-up to the relay that was read back closed, from the ledger's own times."""

from typing import Any

from psycopg import Connection

from ledger.domain.account import AccountCredited
from ledger.domain.relay import LockCleared, OrderConcluded, OrderIssued
from ledger.store.log import read_control_log

_BATCH = 5_000


def top_up_to_relay_s(connection: Connection[Any], *, after: int = 0) -> list[float]:
    """Return, in seconds, for each reconnection confirmed after a position how long its top-up had been booked.

    Counts from the account's newest top-up before the credit lock was cleared to the time at which the edge read the
    relay closed, which is by the edge's clock.
    """
    topped_up: dict[str, AccountCredited] = {}
    cleared: dict[str, AccountCredited] = {}
    orders: dict[str, OrderIssued] = {}
    waits: list[float] = []
    while events := read_control_log(connection, after=after, limit=_BATCH):
        after = events[-1].position
        for event in events:
            match event.fact:
                case AccountCredited() as credit:
                    topped_up[credit.account] = credit
                case LockCleared(cause="credit") as lock if lock.account in topped_up:
                    cleared[lock.supply] = topped_up[lock.account]
                case OrderIssued() as order:
                    orders[order.supply] = order
                case OrderConcluded(outcome="confirmed") as result if _is_reconnection(orders, result):
                    if cause := cleared.pop(result.supply, None):
                        waits.append((result.concluded_at - cause.recorded_at).total_seconds())
    return waits


def _is_reconnection(orders: dict[str, OrderIssued], result: OrderConcluded) -> bool:
    order = orders.get(result.supply)
    return order is not None and order.order == result.order and order.action == "close"
