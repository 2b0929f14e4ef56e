"""Proposals: commands that wait for a second person, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier

from ledger.domain.proposal import Outcome, ProposalApproved, ProposalExpired, ProposalMade, ProposalRejected
from ledger.store.log import Logged
from ledger.values.money import text_from_micros
from projections.model import ReadModel, Table

# A tariff's whole text would hide the rest.
_SHOWN_CHARACTERS = 60

_INSERT = SQL("""
INSERT INTO {schema}.proposals
    (proposal, kind, summary, proposed_by, proposed_at, expires_at, outcome, decided_by, position)
VALUES (%s, %s, %s, %s, %s, %s, 'open', '', %s)
""")
_DECIDE = SQL("UPDATE {schema}.proposals SET outcome = %s, decided_by = %s, position = %s WHERE proposal = %s")
_LIST = """
SELECT proposal, kind, summary, proposed_by, proposed_at, expires_at,
    CASE WHEN outcome = 'open' AND expires_at <= %(now)s THEN 'expired' ELSE outcome END AS outcome, decided_by
FROM projections.proposals
WHERE (%(every)s OR (outcome = 'open' AND expires_at > %(now)s)) AND (%(after)s::text = '' OR
    (proposed_at, proposal) > (SELECT proposed_at, proposal FROM projections.proposals WHERE proposal = %(after)s))
ORDER BY proposed_at, proposal LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal with what became of it; one whose time is over is told as expired, whoever found it or not."""

    proposal: str
    kind: str
    summary: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    outcome: Outcome
    decided_by: str


def proposals(
    connection: Connection[Any], *, now: datetime, every: bool = False, after_: str = "", limit: int | None = None
) -> list[ProposalRow]:
    """Return the proposals that wait for a decision, or every one, in their order, after one if it is given."""
    wanted = {"now": now, "every": every, "after": after_, "limit": limit}
    with connection.cursor(row_factory=class_row(ProposalRow)) as cursor:
        return cursor.execute(_LIST, wanted).fetchall()


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Add a batch to the proposals; they are few, so each is written by itself."""
    for event in events:
        match event.fact:
            case ProposalMade() as made:
                cursor.execute(_INSERT.format(schema=Identifier(schema)), _row(made, event.position))
            case ProposalApproved() | ProposalRejected() | ProposalExpired() as fact:
                outcome = fact.topic.partition(".")[2].partition("/")[0]
                decided_by = getattr(fact, "operator", "")
                cursor.execute(
                    _DECIDE.format(schema=Identifier(schema)), (outcome, decided_by, event.position, fact.proposal)
                )


def kind_of(made: ProposalMade) -> str:
    """Return the kind of the command that is proposed."""
    return str(made.command.get("kind", ""))


def summary_of(made: ProposalMade) -> str:
    """Return what is proposed and why, in a line."""
    words = {name: value for name, value in made.command.items() if name != "kind" and value not in {"", 0}}
    summary = ", ".join(_told(name, value) for name, value in sorted(words.items()))
    return f"{summary} ({made.reason})"


def _row(made: ProposalMade, position: int) -> tuple[object, ...]:
    return (
        made.proposal,
        kind_of(made),
        summary_of(made),
        made.operator,
        made.recorded_at,
        made.expires_at,
        position,
    )


def _told(name: str, value: str | int) -> str:
    if name.endswith("_micros"):
        return f"{name.removesuffix('_micros')} {text_from_micros(int(value))}"
    return f"{name} {_shortened(str(value))}"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 1]}…"


MODEL = ReadModel("proposals", (Table("proposals", ("proposal",)),), project, passes_over_usage=True)
