"""The postings of a fact, whatever fact it is."""

from ledger.domain.event import Fact, Posting

_NONE: list[Posting] = []


def postings_of(fact: Fact) -> list[Posting]:
    """Return a fact's postings, none where it moves no money.

    By the field's name, as the journal view reads it: a list of types would lose the money of one forgotten.
    """
    postings: list[Posting] = getattr(fact, "postings", _NONE)
    return postings
