"""Going on with a database older than its witness: an operator's word, kept in the database and at the witness."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.integrity.kept import newest_seal, seal_numbered
from ledger.integrity.keys import SealingKey
from ledger.integrity.seals import Seal
from ledger.integrity.standing import Diverged, OlderThanWitness, check_not_older
from ledger.integrity.witness.records import RestoreAccepted, Witness, seals_in_force
from ledger.values.errors import InvalidValue, Refused


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was accepted: the newest seal that database and witness share, and what only the witness had."""

    after: int
    position: int
    discarded_seals: int
    discarded_to: int


def accept_restore(
    connection: Connection[Any], witness: Witness, *, key: SealingKey, operator: str, reason: str, now: datetime
) -> Accepted:
    """Take the database as it is for the ledger; the sealer's connection.

    Raises Refused where database and witness agree, so that there is nothing to accept.
    """
    if not reason.strip() or not operator.strip():
        raise InvalidValue("say who accepts this, and why: both are kept with the seals")
    try:
        check_not_older(connection, witness)
    except (OlderThanWitness, Diverged):
        pass
    else:
        raise Refused(f"the database is as new as {witness.name}; there is nothing to accept")
    shared, discarded = _compared(connection, witness)
    after = shared.number if shared else 0
    # The database first: should this end in between, it is refused again, and can be said again.
    connection.execute(
        "INSERT INTO ledger.restores (after, discarded_seals, operator, reason, accepted_at)"
        " VALUES (%s, %s, %s, %s, %s)",
        (after, len(discarded), operator, reason, now),
    )
    record = RestoreAccepted(after=after, operator=operator, reason=reason, accepted_at=now, key_id=key.key_id)
    witness.append([record.signed(key)])
    position = shared.last_position if shared else 0
    return Accepted(after, position, len(discarded), discarded[-1] if discarded else position)


def _compared(connection: Connection[Any], witness: Witness) -> tuple[Seal | None, list[int]]:
    """Return the newest seal that both have, and the last positions of those that only the witness has."""
    newest = newest_seal(connection)
    shared: Seal | None = None
    discarded: list[int] = []
    for seal in seals_in_force(witness):
        is_within = not discarded and newest is not None and seal.number <= newest.number
        if is_within and seal_numbered(connection, seal.number) == seal:
            shared = seal
        else:
            discarded.append(seal.last_position)
    return shared, discarded
