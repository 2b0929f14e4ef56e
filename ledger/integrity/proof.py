"""A proof that one event is in the ledger as it stands: checked offline, with the sealer's public key alone."""

import base64
import binascii
from typing import Any
from uuid import UUID

import msgspec

from ledger.integrity.keys import PublicKeys
from ledger.integrity.merkle import leaf_hash, root_by_path
from ledger.integrity.seals import Seal, event_bytes
from ledger.values.errors import InvalidValue, LedgerError

_FORMAT = "wattledger proof 1"


class ProofFails(LedgerError):
    """A proof does not prove what it claims."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """An event, its audit path (RFC 6962; hashes in hex, from the leaf up), and the seal whose root that leads to.

    `state` is the event's stored bytes in Base64.
    """

    format: str = _FORMAT
    position: int
    stream: UUID
    version: int
    topic: str
    state: str
    path: list[str]
    seal: Seal

    @property
    def fact(self) -> Any:
        """What the event says, as JSON values."""
        return msgspec.json.decode(base64.b64decode(self.state))


class _Holder(msgspec.Struct, frozen=True):
    """A paper that holds a proof among other things; a proof itself holds none."""

    proof: Proof | msgspec.UnsetType | None = msgspec.UNSET


def proof_text(proof: Proof) -> str:
    """Return a proof as the text of a file."""
    return msgspec.json.format(msgspec.json.encode(proof), indent=2).decode() + "\n"


def proof_from_text(text: str) -> Proof:
    """Read a proof, or the one that a statement or receipt holds; raises InvalidValue for anything else."""
    try:
        holder = msgspec.json.decode(text, type=_Holder)
        if holder.proof is None:
            raise InvalidValue("the file holds no proof: its event was not sealed yet; make it again")
        proof = msgspec.json.decode(text, type=Proof) if holder.proof is msgspec.UNSET else holder.proof
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidValue(f"this is no proof that `wattledger audit prove` wrote: {error}") from None
    if proof.format != _FORMAT:
        raise InvalidValue(f"the proof's format is {proof.format!r}; this version checks {_FORMAT!r}")
    return proof


def check_proof(proof: Proof, *, keys: PublicKeys) -> None:
    """Return where the event is in the ledger that the holder of one of these keys sealed; raises ProofFails."""
    seal = proof.seal
    if not keys.knows(seal.key_id):
        raise ProofFails(f"seal {seal.number} is signed with key {seal.key_id}, which is none of those given")
    if not seal.is_signed(keys):
        raise ProofFails(f"the signature of seal {seal.number} is not that of key {seal.key_id} over this seal")
    try:
        state = base64.b64decode(proof.state, validate=True)
        path = [bytes.fromhex(node) for node in proof.path]
    except (binascii.Error, ValueError) as error:
        raise ProofFails(f"the proof cannot be read: {error}") from None
    if not seal.first_position <= proof.position <= seal.last_position:
        raise ProofFails(
            f"position {proof.position} is not under seal {seal.number}, which covers {seal.first_position} to"
            f" {seal.last_position}"
        )
    if not (0 < proof.position < 2**63 and 0 < proof.version < 2**63):
        raise ProofFails(f"position {proof.position}, version {proof.version}: no event can be there")
    event = event_bytes(
        position=proof.position, stream=proof.stream, version=proof.version, topic=proof.topic, state=state
    )
    root = root_by_path(
        leaf_hash(event),
        number=proof.position - seal.first_position,
        count=seal.last_position - seal.first_position + 1,
        path=path,
    )
    if root is None or root.hex() != seal.root:
        found = "no root" if root is None else f"root {root.hex()}"
        raise ProofFails(f"the event leads to {found}, seal {seal.number} has {seal.root}")
