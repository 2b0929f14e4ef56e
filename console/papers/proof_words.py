"""What a page says of its proof: the seal over the event that it rests on."""

from console.papers.paper import moment
from console.papers.words import Words
from ledger.integrity.proof import Proof


def proof_notes(proof: Proof | None, *, position: int, zone: str, words: Words) -> list[str]:
    """Return the lines about the proof of the event at a position."""
    if proof is None:
        return [words["unsealed"].format(position=position)]
    when = f"{moment(proof.seal.sealed_at, zone=zone)} ({zone})"
    sealed = words["sealed"].format(
        position=proof.position, seal=proof.seal.number, time=when, root=proof.seal.root[:32] + "…"
    )
    return [sealed, words["how-checked"]]
