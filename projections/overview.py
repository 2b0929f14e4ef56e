"""The read models themselves: where each stands, and what it holds in one digest."""

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg.sql import SQL

from ledger.store.log import head_of
from projections.catalogue import MODELS, named
from projections.process import connect
from projections.project import tracked


@dataclass(frozen=True, slots=True)
class Standing:
    """A read model's position and the events that it has not seen."""

    name: str
    tables: tuple[str, ...]
    position: int
    lag_events: int


@dataclass(frozen=True, slots=True)
class Digest:
    """What a read model holds at a position, as a SHA-256 in hex."""

    name: str
    position: int
    digest: str


def overview(url: str) -> list[Standing]:
    """Return every read model's standing, by name."""
    with connect(url, name="projections list") as connection:
        # Positions first: the other way round, a projection could seem to be ahead of the head.
        positions = tracked(connection)
        head, _ = head_of(connection)
    return [
        Standing(
            model.name,
            tuple(table.name for table in model.tables),
            positions.get(model.name, 0),
            head - positions.get(model.name, 0),
        )
        for model in MODELS
    ]


def digests(url: str, *, name: str | None = None) -> Iterator[Digest]:
    """Yield the digest of one read model or of all, each with its position; raises NotFound for an unknown name."""
    models = MODELS if name is None else (named(name),)
    with connect(url, name="projections digest") as connection:
        for model in models:
            with connection.transaction():
                # One snapshot: the digest is of exactly this position, while the runner goes on.
                connection.execute(SQL("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
                position = tracked(connection).get(model.name, 0)
                digest = model.digest(connection)
            yield Digest(model.name, position, digest)
