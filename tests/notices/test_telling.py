"""People are told over a real SMTP connection: once per event, in their language, and logged."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from console.notices.running import QuietHours
from console.notices.senders import Senders
from ledger.store.people import erase_person
from ledger.values.errors import InvalidValue
from tests.notices.conftest import Mailbox, run, teller, told
from tests.projections.builders import START, Story, topped_up
from tests.services.postgres import Database


def test_each_is_told_once_in_their_language(
    database: Database, mailbox: tuple[Mailbox, str], people: Any, notifier: Any
) -> None:
    box, url = mailbox
    story = Story(database.url("wattledger_writer"))
    story.tell(topped_up(account="anna", amount_micros=1_000_000))
    one = teller(url)
    one.begin(notifier)
    story.tell(topped_up(account="anna", amount_micros=5_000_000), topped_up(account="ben", amount_micros=7_500_000))
    run(one, notifier)
    again = teller(url)
    again.begin(notifier)
    run(again, notifier)
    assert [(to, subject) for to, subject, _ in box.mails] == [
        (["anna@example.com"], "充值成功"),
        (["ben@example.com"], "Top-up received"),
    ]
    assert "账户 anna 已充值 5.00" in box.mails[0][2]
    assert told(notifier) == [("anna", "receipt", "sent"), ("ben", "receipt", "sent")]


def test_who_has_no_address_or_was_erased_is_logged_not_forgotten(
    database: Database, mailbox: tuple[Mailbox, str], people: Any, notifier: Any
) -> None:
    box, url = mailbox
    one = teller(url)
    one.begin(notifier)
    erase_person(people, account="anna")
    Story(database.url("wattledger_writer")).tell(topped_up(account="anna", amount_micros=1))
    run(one, notifier)
    assert box.mails == []
    assert told(notifier) == [("anna", "receipt", "failed")]


def test_more_than_so_many_a_day_are_held_back_and_logged(
    database: Database, mailbox: tuple[Mailbox, str], people: Any, notifier: Any
) -> None:
    box, url = mailbox
    one = teller(url, per_day=2)
    one.begin(notifier)
    Story(database.url("wattledger_writer")).tell(*(topped_up(account="ben", amount_micros=n) for n in (1, 2, 3)))
    run(one, notifier)
    assert len(box.mails) == 2
    assert [outcome for _, _, outcome in told(notifier)] == ["sent", "sent", "limited"]


def test_a_channel_that_does_not_answer_is_tried_again_later(database: Database, people: Any, notifier: Any) -> None:
    one = teller("mailto://127.0.0.1:9?from=us@example.com&to={to}")
    one.begin(notifier)
    Story(database.url("wattledger_writer")).tell(topped_up(account="ben", amount_micros=1))
    run(one, notifier)
    rows = notifier.execute("SELECT outcome, attempts, not_before > now(), detail FROM notices.told").fetchall()
    assert rows == [("waiting", 1, True, "the channel did not take it")]


def test_killed_in_mid_send_it_sends_at_most_once_more_and_says_so(
    database: Database, mailbox: tuple[Mailbox, str], people: Any, notifier: Any
) -> None:
    box, url = mailbox
    teller(url).begin(notifier)
    Story(database.url("wattledger_writer")).tell(topped_up(account="ben", amount_micros=1))
    environment = {**os.environ, "WATTLEDGER_DATABASE_URL": database.url("wattledger_notifier")}
    environment |= {"WATTLEDGER_NOTIFY_EMAIL": url, "WATTLEDGER_QUIET_HOURS": "00:00-00:00"}
    box.pause_s = 60.0
    for times in (1, 2):
        process = subprocess.Popen([sys.executable, "-m", "console", "notify"], env=environment)
        deadline = time.monotonic() + 60
        while len(box.mails) < times and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(box.mails) == times
    box.pause_s = 0.0
    last = teller(url)
    last.begin(notifier)
    run(last, notifier)
    assert len(box.mails) == 2
    assert told(notifier) == [("ben", "receipt", "unknown")]


def test_quiet_hours_end_in_the_morning_of_their_zone() -> None:
    night = QuietHours(datetime(2000, 1, 1, 22).time(), datetime(2000, 1, 1, 7).time(), "Asia/Shanghai")  # noqa: DTZ001
    assert night.until(datetime(2026, 7, 1, 15, tzinfo=UTC)) == datetime(2026, 7, 1, 23, tzinfo=UTC)
    assert night.until(datetime(2026, 7, 1, 22, 30, tzinfo=UTC)) == datetime(2026, 7, 1, 23, tzinfo=UTC)
    assert night.until(START) is None


def test_a_channel_without_a_place_for_the_address_is_refused_without_its_secret() -> None:
    with pytest.raises(InvalidValue, match=r"has no \{to\}") as refused:
        Senders.from_environment({"WATTLEDGER_NOTIFY_EMAIL": "mailto://user:secret@host"})
    assert "secret" not in str(refused.value)
