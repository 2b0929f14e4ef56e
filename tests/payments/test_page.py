"""docs/payments.md: what it shows works as it stands there."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from console.payments.stripe_webhooks import READERS
from ledger.usecases.money.payments import News
from tests.payments.shop import SECRET, Shop

PAGE = (Path(__file__).parents[2] / "docs/payments.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="curl and openssl are asked for")
def test_a_delivery_signed_with_openssl_and_sent_with_curl_is_booked(shop: Shop) -> None:
    [example] = [block for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) if "curl" in block]
    shop.till.opens("account-103")
    environment = {"ADDRESS": shop.address, "SECRET": SECRET, "PATH": "/usr/bin:/bin:/usr/local/bin"}
    for answer in ({"kept": 1, "repeated": 0}, {"kept": 0, "repeated": 1}):
        outcome = subprocess.run(
            ["sh", "-c", example], env=environment, capture_output=True, text=True, timeout=30, check=True
        )
        assert json.loads(outcome.stdout) == answer
        assert json.dumps(answer, separators=(",", ":")) in PAGE
    assert shop.books_all() == ["booked"]
    assert shop.balance("account-103") == 25


def test_every_news_and_every_event_of_stripes_that_is_read_is_on_the_page() -> None:
    assert [news for news in get_args(News) if f"`{news}`" not in PAGE] == []
    assert [event for event in READERS if f"`{event}`" not in PAGE] == []
