"""Where a database stands to its witness: in step, behind what was witnessed (restored), or on another path."""

from typing import Any

from psycopg import Connection

from ledger.integrity.kept import newest_seal, seal_numbered
from ledger.integrity.seals import Seal
from ledger.integrity.witness.records import Witness, newest_number
from ledger.values.errors import LedgerError


class OlderThanWitness(LedgerError):
    """The database lacks seals that the witness has: it was restored from a backup, or its tail was cut off."""


class Diverged(LedgerError):
    """The database has another seal than the witness under the same number: one of the two was rewritten."""


_REMEDY = (
    "Nothing starts on it. If you restored it and mean to go on with it: `wattledger audit accept-restore --reason …`"
    " (docs/backup.md); if not, run `wattledger audit verify` and find out who changed it"
)


def check_not_older(connection: Connection[Any], witness: Witness) -> int:
    """Return the number of the newest seal at the witness, once it is seen that the database has it too.

    Raises OlderThanWitness, Diverged, and the witness's own errors.
    """
    # The witness first: read the other way round, a seal made in between would look like one that we lack.
    record = witness.newest()
    number = newest_number(record)
    if record is None or number == 0:
        return 0
    kept = seal_numbered(connection, number)
    if kept is None:
        newest = newest_seal(connection)
        has = f"ends at seal {newest.number}, position {newest.last_position}" if newest else "has no seal"
        raise OlderThanWitness(
            f"this database is older than its witness: {witness.name} has seal {number}, the database {has}."
            f" {_REMEDY}"
        )
    if isinstance(record, Seal) and kept != record:
        raise Diverged(
            f"this database is not the one that its witness saw: seal {number} over positions {record.first_position}"
            f" to {record.last_position} has root {record.root[:16]}… and signature {record.signature[:16]}… at"
            f" {witness.name}, and {kept.root[:16]}…, {kept.signature[:16]}… in the database. {_REMEDY}"
        )
    return number
