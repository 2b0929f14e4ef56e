"""The publisher of relay orders and dead letters: elected, woken by the log, sending at least once."""

import asyncio
from typing import Any

import psycopg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from psycopg import Connection

from ledger import wire
from ledger.store.log import await_news, listen
from streams import metrics, outbox
from streams.acks import new_producer, send_all
from streams.connecting import connected, connected_for_office
from streams.settings import Settings

log = structlog.get_logger()

_PAUSE_S = 1.0


class OrderPublisher:
    """Publishes while it holds the office; otherwise stands by to take it over."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def run(self) -> None:
        """Publish until cancelled; a database or broker that is away costs nothing but time."""
        while True:
            try:
                await self._in_office()
            except (psycopg.Error, KafkaError, OSError) as error:
                log.warning("relay orders cannot be published; trying again", error=str(error))
            metrics.IS_PUBLISHER.set(0)
            await asyncio.sleep(_PAUSE_S)

    async def _in_office(self) -> None:
        connection = await asyncio.to_thread(connected_for_office, self._settings.database_url, name="publish")
        listener: Connection[Any] | None = None
        producer = new_producer(bootstrap=self._settings.bootstrap, is_idempotent=self._settings.is_idempotent)
        try:
            if not await asyncio.to_thread(outbox.take_office, connection):
                return
            listener = await asyncio.to_thread(connected, self._settings.database_url, name="publish news")
            await asyncio.to_thread(listen, listener)
            await producer.start()
            metrics.IS_PUBLISHER.set(1)
            while True:
                await self._publish(connection, producer)
                await asyncio.to_thread(await_news, listener, timeout_s=_PAUSE_S)
        finally:
            await producer.stop()
            connection.close()
            if listener is not None:
                listener.close()

    async def _publish(self, connection: Connection[Any], producer: AIOKafkaProducer) -> None:
        while await asyncio.to_thread(outbox.take_in_news, connection) >= 2_000:
            pass
        orders = await asyncio.to_thread(outbox.due_orders, connection, resend_after_s=self._settings.resend_after_s)
        if orders:
            messages = [(order.concentrator.encode(), wire.encode(order)) for order in orders]
            await send_all(producer, wire.RELAY_COMMANDS, messages)
            await asyncio.to_thread(outbox.mark_sent, connection, orders)
            metrics.ORDERS_SENT.inc(len(orders))
        letters = await asyncio.to_thread(outbox.unpublished_dead_letters, connection)
        if letters:
            await send_all(producer, wire.DEAD_LETTERS, [(letter.key, letter.value) for letter in letters])
            await asyncio.to_thread(outbox.mark_published, connection, letters)
