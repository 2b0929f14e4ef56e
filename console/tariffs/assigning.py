"""Give many supply points a tariff from an instant on: chosen by site and by name, each once however often asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain import supply as supply_stream_of
from ledger.domain.event import Event
from ledger.domain.supply import Supply, TermsAssigned
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.store.recorder import Guard
from ledger.usecases.supplies import assign_tariff
from ledger.values.errors import LedgerError
from ledger.values.identity import supply_stream

Done = Literal["assigned", "to be assigned", "has it already", "refused"]
_REGISTERED = """
SELECT DISTINCT convert_from(state, 'UTF8')::jsonb ->> 'supply', convert_from(state, 'UTF8')::jsonb ->> 'site'
FROM ledger.events WHERE topic NOT LIKE 'meter.%%' AND topic = %s
ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Assigned:
    """What became of one supply point, and why where it was refused."""

    supply: str
    done: Done
    reason: str = ""


class RehearsedLedger(Ledger):
    """The ledger for a dry run: it decides and refuses as always, and appends nothing."""

    name = "ledger"

    def append(  # the arguments are unused: that is the point
        self,
        *events: Event,  # noqa: ARG002
        command: Command | None = None,  # noqa: ARG002
        guard: Guard | None = None,  # noqa: ARG002
    ) -> int:
        """Append nothing; there is no position to return."""
        return 0


def chosen_supplies(connection: Connection[Any], *, site: str, globs: Sequence[str]) -> list[str]:
    """Return the supply points of a site (of all for none) whose codes match any of the globs (all for none)."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(_REGISTERED, (supply_stream_of.SupplyRegistered.topic,)).fetchall()
    return [
        supply
        for supply, at in found
        if (not site or at == site) and (not globs or any(fnmatchcase(supply, glob) for glob in globs))
    ]


def assign(
    ledger: Ledger,
    *,
    supplies: Sequence[str],
    tariff: str,
    effective_from: datetime,
    now: datetime,
    account_class: str = "",
    contracted_w: int = 0,
) -> Iterator[Assigned]:
    """Assign the tariff to each supply point that is not priced by it at that instant already, and tell of each."""
    for supply in supplies:
        state: Supply | None = ledger.folded(supply_stream(supply), supply_stream_of.evolve, None)[0]
        terms = None if state is None else state.terms_at(effective_from)
        if terms is not None and (terms.tariff, terms.account_class, terms.contracted_w) == (
            tariff,
            account_class,
            contracted_w,
        ):
            yield Assigned(supply, "has it already")
        else:
            wanted = TermsAssigned(
                supply=supply,
                tariff=tariff,
                effective_from=effective_from,
                account_class=account_class,
                contracted_w=contracted_w,
                recorded_at=now,
            )
            yield _assigned(ledger, wanted)


def _assigned(ledger: Ledger, wanted: TermsAssigned) -> Assigned:
    try:
        assign_tariff(
            ledger,
            supply=wanted.supply,
            tariff=wanted.tariff,
            effective_from=wanted.effective_from,
            account_class=wanted.account_class,
            contracted_w=wanted.contracted_w,
            now=wanted.recorded_at,
        )
    except LedgerError as error:
        return Assigned(wanted.supply, "refused", str(error))
    return Assigned(wanted.supply, "to be assigned" if isinstance(ledger, RehearsedLedger) else "assigned")
