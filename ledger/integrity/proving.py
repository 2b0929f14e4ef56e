"""Making the proof that an event is in the ledger, from the event, its block's hashes and the seal over it."""

import base64
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.integrity.kept import leaves_of, public_keys, seal_over
from ledger.integrity.merkle import path_of, root_of
from ledger.integrity.proof import Proof, check_proof
from ledger.integrity.rows import event_rows, row_hash
from ledger.values.errors import NotFound, Refused


def prove(connection: Connection[Any], position: int) -> Proof:
    """Return the proof of the event at a position.

    Raises NotFound where there is none, Refused where it is not sealed yet, ProofFails where it is not what was
    sealed.
    """
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "SELECT originator_id, originator_version, topic, state FROM ledger.events WHERE notification_id = %s",
            (position,),
        ).fetchone()
    if row is None:
        raise NotFound(f"there is no event at position {position}")
    seal = seal_over(connection, position)
    if seal is None:
        raise Refused(f"the event at position {position} is not sealed yet; ask again in a few seconds")
    leaves = leaves_of(connection, seal.number)
    if root_of(leaves).hex() != seal.root:
        leaves = [
            row_hash(event) for event in event_rows(connection, first=seal.first_position, last=seal.last_position)
        ]
    number = position - seal.first_position
    if number >= len(leaves):
        raise Refused(f"events are missing under seal {seal.number}; run `wattledger audit verify`")
    proof = Proof(
        position=position,
        stream=row[0],
        version=row[1],
        topic=row[2],
        state=base64.b64encode(bytes(row[3])).decode(),
        path=[node.hex() for node in path_of(leaves, number)],
        seal=seal,
    )
    check_proof(proof, keys=public_keys(connection))
    return proof
