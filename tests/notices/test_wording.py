"""What people are told, word by word, in both languages: amounts in coins, moments where they live."""

from datetime import timedelta
from string import Formatter
from typing import Any

import pytest
from msgspec.structs import replace

from console.notices.templates import CAUSES, TEMPLATES
from ledger.domain.autopay import ChargeFailed
from ledger.domain.credit.facts import EmergencyCreditTaken
from ledger.domain.event import Fact
from ledger.domain.relay import SET_BY_PEOPLE, GraceBegun, LockCleared, LowBalanceWarned
from ledger.domain.supply import TermsAssigned
from ledger.store.people import keep_details
from projections.catalogue import MODELS
from projections.process import connect
from projections.project import project_next, register
from tests.notices.conftest import Mailbox, run, teller, told
from tests.projections.builders import START, Story, concluded, order_issued, tariff_published, topped_up
from tests.services.postgres import Database

LATER = START + timedelta(hours=20)
COMMON: dict[str, Any] = {"supply": "room-1", "account": "anna", "ledger_position": 1, "recorded_at": START}
OFF = replace(order_issued("room-1", "anna", "open", sequence=3, at=START), locks=("credit",))
ON = order_issued("room-1", "anna", "close", sequence=5, at=START)
LOCKED = replace(order_issued("room-1", "anna", "open", sequence=7, at=START), locks=("credit", "maintenance"))
CHARGE = ChargeFailed(
    account="anna",
    charge="ap-1",
    method="card-1",
    rhythm="threshold",
    amount_micros=20_000_000,
    attempt=1,
    why="card_declined",
    recorded_at=START,
)

TOLD: list[Fact] = [
    LowBalanceWarned(balance_micros=4_916_667, threshold_micros=5_000_000, level=2, **COMMON),
    EmergencyCreditTaken(
        account="anna", limit_micros=3_000_000, balance_micros=0, channel="app", operator="ana", reason="asked",
        key_hash="", recorded_at=START,
    ),
    GraceBegun(
        cause="correction", crossed_at=1, until=LATER, balance_micros=-1, threshold_micros=0, **COMMON
    ),
    OFF,
    concluded(OFF, "confirmed", at=START),
    ON,
    concluded(ON, "confirmed", at=START),
    LOCKED,
    concluded(LOCKED, "confirmed", at=START),
    LockCleared(cause="credit", balance_micros=5_000_000, **COMMON),
    replace(CHARGE, again_at=LATER),
    replace(CHARGE, attempt=4),
    replace(CHARGE, attempt=0, why="cap-of-the-day"),
    topped_up(account="anna", amount_micros=1_234_500_000),
    replace(tariff_published(version=2), effective_from=LATER),
]  # fmt: skip

WORDS = {
    "en": [
        ("Low balance", "Account anna: 4.92 EUR left (warning level 2). Please top up."),
        ("Emergency credit in use", "Account anna uses emergency credit, up to 3.00 EUR."),
        (
            "Power will be switched off",
            "room-1 will be switched off after 2026-07-02 10:00 (Asia/Shanghai) without a top-up.",
        ),
        ("Power is off", "room-1 was switched off. Top account anna up to bring it back."),
        ("Power is on", "room-1 was switched on again."),
        ("Power is off", "room-1 was switched off: maintenance. It comes back when that is over."),
        ("Ready to reconnect", "Account anna has credit again; room-1 may be switched on."),
        (
            "Automatic top-up failed",
            "The automatic top-up of account anna with 20.00 EUR failed."
            " It is tried again after 2026-07-02 10:00 (Asia/Shanghai).",
        ),
        (
            "Automatic top-up failed",
            "The automatic top-up of account anna with 20.00 EUR failed and is not tried again."
            " Please top up, and check your payment method.",
        ),
        (
            "No automatic top-up: cap reached",
            "Account anna was not topped up with 20.00 EUR: its cap on automatic top-ups is reached.",
        ),
        ("Top-up received", "Account anna was topped up with 1,234.50 EUR. Receipt: {position}."),
        ("Prices change", "Tariff flat of account anna changes from 2026-07-02 10:00 (Asia/Shanghai)."),
    ],
    "zh": [
        ("余额不足", "账户 anna 余额 4.92 EUR（第 2 级提醒），请及时充值。"),
        ("正在使用应急额度", "账户 anna 正在使用应急额度，上限 3.00 EUR。"),
        ("即将断电", "如未充值，用电点 room-1 将在 2026-07-02 10:00 (Asia/Shanghai) 之后断电。"),
        ("已断电", "用电点 room-1 已断电，请为账户 anna 充值以恢复供电。"),
        ("已恢复供电", "用电点 room-1 已恢复供电。"),
        ("已断电", "用电点 room-1 已断电（检修），解除后恢复供电。"),
        ("可以恢复供电", "账户 anna 已有余额，用电点 room-1 可以合闸。"),
        ("自动充值失败", "账户 anna 自动充值 20.00 EUR 失败，将在 2026-07-02 10:00 (Asia/Shanghai) 之后重试。"),
        ("自动充值失败", "账户 anna 自动充值 20.00 EUR 失败，不再重试。请自行充值，并检查付款方式。"),
        ("未自动充值：已达上限", "账户 anna 未自动充值 20.00 EUR：自动充值已达上限。"),
        ("充值成功", "账户 anna 已充值 1,234.50 EUR，收据号 {position}。"),
        ("电价调整", "账户 anna 的电价 flat 自 2026-07-02 10:00 (Asia/Shanghai) 起调整。"),
    ],
}


@pytest.mark.parametrize("language", WORDS)
def test_each_message_reads_as_it_should(
    database: Database, mailbox: tuple[Mailbox, str], people: Any, notifier: Any, language: str
) -> None:
    box, url = mailbox
    keep_details(people, account="anna", details={"locale": language})
    story = Story(database.url("wattledger_writer"))
    story.move_in("room-1", "anna")
    story.tell(TermsAssigned(supply="room-1", tariff="flat", effective_from=START, recorded_at=START))
    with connect(database.url("wattledger_projector"), name="test") as projector:
        register(projector, models=MODELS)
        while project_next(projector, models=MODELS, limit=1_000):
            pass
    one = teller(url, zone="Asia/Shanghai")
    one.begin(notifier)
    position = story.tell(*TOLD) - 1
    run(one, notifier)
    assert [(subject, text.strip()) for _, subject, text in box.mails] == [
        (title, text.format(position=position)) for title, text in WORDS[language]
    ]
    assert {outcome for _, _, outcome in told(notifier)} == {"sent"}


def test_every_language_has_every_message_with_the_same_figures() -> None:
    def figures(language: str) -> dict[str, set[str | None]]:
        return {
            kind: {name for text in texts for _, name, _, _ in Formatter().parse(text)} - {None}
            for kind, texts in TEMPLATES[language].items()
        }

    assert figures("en") == figures("zh")
    assert set(CAUSES["en"]) == set(CAUSES["zh"]) >= set(SET_BY_PEOPLE) | {"timetable"}
