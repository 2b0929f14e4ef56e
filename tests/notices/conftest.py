"""A mailbox behind a real SMTP connection, and the process that fills it."""

import asyncio
import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import psycopg
import pytest
from aiosmtpd.controller import Controller

from console.notices.senders import Senders
from console.notices.telling import Teller
from ledger.store.people import keep_details
from tests.services.postgres import Database


class Mailbox:
    """Takes mail and keeps it; `pause_s` before it says so."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], str, str]] = []
        self.pause_s = 0.0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        mail = message_from_bytes(envelope.content, policy=policy.default)
        body = mail.get_body(("plain", "html"))
        assert body is not None
        self.mails.append((envelope.rcpt_tos, str(mail["subject"]), body.get_content()))
        await asyncio.sleep(self.pause_s)
        return "250 taken"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, f"mailto://127.0.0.1:{port}?from=us@example.com&to={{to}}&format=text"
    controller.stop()


@pytest.fixture
def people(database: Database) -> Iterator[Any]:
    with psycopg.connect(database.url("wattledger_people"), autocommit=True) as connection:
        keep_details(connection, account="anna", details={"email": "anna@example.com", "locale": "zh"})
        keep_details(connection, account="ben", details={"email": "ben@example.com"})
        yield connection


@pytest.fixture
def notifier(database: Database) -> Iterator[Any]:
    with psycopg.connect(database.url("wattledger_notifier"), autocommit=True) as connection:
        yield connection


def teller(url: str, **words: Any) -> Teller:
    return Teller(
        senders=Senders.from_environment({"WATTLEDGER_NOTIFY_EMAIL": url}), quiet_until=lambda _: None, **words
    )


def run(one: Teller, connection: Any) -> None:
    while one.turn(connection):
        pass


def told(connection: Any) -> list[tuple[str, str, str]]:
    return list(connection.execute("SELECT account, kind, outcome FROM notices.told ORDER BY position").fetchall())
