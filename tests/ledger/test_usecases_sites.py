"""Sites' settings on a real ledger: what is not said stays as it stands."""

from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from ledger.domain.site import Reconnection
from ledger.store.application import Ledger
from ledger.store.log import head_of
from ledger.usecases.sites import SiteSet, change_site_settings
from tests.ledger.builders import MOVED_IN

LATER = MOVED_IN + timedelta(days=30)


def set_(
    ledger: Ledger,
    *,
    reconnection: Reconnection | None = None,
    warning_micros: int | None = None,
    at: datetime = MOVED_IN,
) -> SiteSet:
    return change_site_settings(
        ledger,
        site="north",
        reconnection=reconnection,
        warning_balance_micros=warning_micros,
        effective_from=at,
        now=MOVED_IN,
    )


def content(outcome: SiteSet) -> tuple[str, int]:
    return outcome.settings.reconnection, outcome.settings.warning_balance_micros


def test_a_new_site_asks_for_consent_and_warns_below_ten(ledger: Ledger) -> None:
    assert content(set_(ledger)) == ("confirm", 10_000_000)


def test_what_is_not_given_stays_as_it_stands(ledger: Ledger) -> None:
    set_(ledger, reconnection="automatic", warning_micros=5_000_000)
    assert content(set_(ledger, warning_micros=7_000_000, at=LATER)) == ("automatic", 7_000_000)
    assert content(set_(ledger, reconnection="arm", at=LATER)) == ("arm", 7_000_000)


def test_what_stands_is_what_stands_at_the_instant_from_which_it_changes(ledger: Ledger) -> None:
    set_(ledger, reconnection="automatic", warning_micros=5_000_000)
    set_(ledger, reconnection="arm", warning_micros=9_000_000, at=LATER)
    between = set_(ledger, warning_micros=6_000_000, at=MOVED_IN + timedelta(days=1))
    assert content(between) == ("automatic", 6_000_000)


def test_what_changes_nothing_is_not_booked(ledger: Ledger, writer: Connection[Any]) -> None:
    set_(ledger, reconnection="automatic", warning_micros=5_000_000)
    again = set_(ledger, at=LATER)
    assert (content(again), again.position) == (("automatic", 5_000_000), 0)
    assert head_of(writer)[0] == 1
