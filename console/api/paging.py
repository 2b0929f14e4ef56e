"""Pages by cursor: what a page ends with, so that nothing is skipped or doubled while rows come and go."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

Item = TypeVar("Item", bound=BaseModel)

_ABOUT = "`next_cursor` of the page before; the first page without it."
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
# What a list is in the order of: a code, or a position in the ledger.
CodeCursor = Annotated[str, Query(max_length=64, pattern=r"^([A-Za-z0-9][A-Za-z0-9._:/-]*)?$", description=_ABOUT)]
PositionCursor = Annotated[int, Query(ge=0, le=2**63 - 1, description=_ABOUT)]
# A place among what waits: since when in microseconds, a kind, a subject, and a hash of the rest.
PlaceCursor = Annotated[
    str, Query(max_length=160, pattern=r"^([0-9]{1,16}/[a-z-]{1,40}/[!-~]{1,80}/[0-9a-f]{8})?$", description=_ABOUT)
]


class Page(BaseModel, Generic[Item]):
    """A page of items, and the cursor of the next one; null where this is the last."""

    items: list[Item]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")


def paged(rows: Sequence[Item], *, limit: int, key: Callable[[Item], str]) -> Page[Item]:
    """Make a page of up to `limit` rows of one more that were asked for."""
    items = list(rows[:limit])
    return Page(items=items, next_cursor=key(items[-1]) if len(rows) > limit else None)
