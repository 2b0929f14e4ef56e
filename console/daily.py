"""What credit does once a local day, for every account and protected supply of a site."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row

from ledger.store.application import Ledger
from ledger.usecases.conditions import check_site
from ledger.usecases.credit.daily import accrue_charges, collect_instalment
from ledger.usecases.protection import note_lapsed_review
from ledger.values.errors import LedgerError

_ACCOUNTS = "SELECT account FROM projections.balances WHERE site = %s ORDER BY account"
_SUPPLIES = "SELECT supply FROM projections.supplies WHERE site = %s ORDER BY supply"


@dataclass(slots=True)
class Done:
    """How much there was to do; one account's refusal holds no other up."""

    instalments: int = 0
    accrued: int = 0
    lapsed: int = 0
    refusals: list[str] = field(default_factory=list)


def credit_of_the_day(connection: Connection[Any], ledger: Ledger, *, site: str, now: datetime) -> Done:
    """Do what is due today and was not done yet; raises NotFound for an unknown site."""
    check_site(ledger, site)
    done = Done()
    with connection.cursor(row_factory=scalar_row) as cursor:
        accounts: list[str] = cursor.execute(_ACCOUNTS, (site,)).fetchall()
        supplies: list[str] = cursor.execute(_SUPPLIES, (site,)).fetchall()
    for account in accounts:
        try:
            done.accrued += accrue_charges(ledger, account=account, now=now)
            booked = collect_instalment(ledger, account=account, now=now)
            done.instalments += bool(booked.position and not booked.is_repeat)
        except LedgerError as error:
            done.refusals.append(f"{account}: {error}")
    for supply in supplies:
        try:
            done.lapsed += note_lapsed_review(ledger, supply=supply, today=now.date(), now=now) > 0
        except LedgerError as error:
            done.refusals.append(f"{supply}: {error}")
    return done
