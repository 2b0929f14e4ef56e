"""What a witness keeps, as JSON lines: seals, and an operator's word on which of them a restored database undid."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from ledger.integrity.keys import PublicKeys, SealingKey
from ledger.integrity.seals import Seal
from ledger.values.errors import LedgerError
from ledger.wire import Instant

_CONTEXT = "wattledger restore 1"


class WitnessFailed(LedgerError):
    """The witness does not answer or does not take a record; nothing is lost, it is tried again."""


class WitnessUnreadable(LedgerError):
    """What stands at the witness is no record of ours."""


class RestoreAccepted(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="restore"):
    """From here on the seals after number `after` that stand above no longer hold: an older database goes on."""

    after: int
    operator: str
    reason: str
    accepted_at: Instant
    key_id: str
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """Return what the signature covers."""
        return msgspec.json.encode([_CONTEXT, self.after, self.operator, self.reason, self.accepted_at, self.key_id])

    def signed(self, key: SealingKey) -> "RestoreAccepted":
        """Return the record signed with this key."""
        named = msgspec.structs.replace(self, key_id=key.key_id)
        return msgspec.structs.replace(named, signature=key.sign(named.signed_bytes()).hex())

    def is_signed(self, keys: PublicKeys) -> bool:
        """Tell whether one of these keys signed it."""
        try:
            signature = bytes.fromhex(self.signature)
        except ValueError:
            return False
        return keys.is_signed(self.signed_bytes(), key_id=self.key_id, signature=signature)


Record = Seal | RestoreAccepted

_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


class Witness(Protocol):
    """Where seals are kept outside the database. Every method raises WitnessFailed where it does not answer."""

    @property
    def name(self) -> str:
        """What the witness is called in messages: its address."""

    def append(self, records: Sequence[Record]) -> None:
        """Add records; they are there for good when this returns."""

    def newest(self) -> Record | None:
        """Return the newest record; None where there is none. Raises WitnessUnreadable."""

    def records(self) -> Iterator[Record]:
        """Yield every record from the first. Raises WitnessUnreadable."""


def line_of(record: Record) -> bytes:
    """Return a record as a line: the same bytes for the same record, always."""
    return msgspec.json.encode(record) + b"\n"


def record_of(line: bytes, *, where: str) -> Record:
    """Return the record in a line; raises WitnessUnreadable naming where it stands."""
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError as error:
        shown = line[:80].decode(errors="replace")
        raise WitnessUnreadable(f"{where} is no record of a witness ({error}): {shown!r}") from None


def newest_number(record: Record | None) -> int:
    """Return the number of the newest seal that holds, by a witness's newest record."""
    if record is None:
        return 0
    return record.number if isinstance(record, Seal) else record.after


def seals_in_force(witness: Witness) -> Iterator[Seal]:
    """Yield the seals that hold, in order: those that no later restore undid, each once; reads the witness twice."""
    restores = [(n, r.after) for n, r in enumerate(witness.records()) if isinstance(r, RestoreAccepted)]
    number = 0
    for at, record in enumerate(witness.records()):
        if isinstance(record, RestoreAccepted):
            continue
        while restores and restores[0][0] < at:
            restores.pop(0)
        is_undone = any(record.number > after for _, after in restores)
        if not is_undone and record.number > number:
            number = record.number
            yield record
