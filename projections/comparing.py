"""Comparing read models with what their events say, without touching them: rebuilt aside, compared by digest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg.sql import SQL

from projections.catalogue import MODELS
from projections.model import ReadModel
from projections.process import connect
from projections.project import tracked
from projections.rebuild import BATCH, SHADOW, Builder, Progress, make_shadow


@dataclass(frozen=True, slots=True)
class Compared:
    """A read model at a position: the digest of what it holds, and of what the events up to there lead to."""

    name: str
    position: int
    digest: str
    rebuilt_digest: str

    @property
    def is_equal(self) -> bool:
        """Whether the read model holds exactly what its events say."""
        return self.digest == self.rebuilt_digest


def compare(
    url: str, *, models: Sequence[ReadModel] = MODELS, progress: Progress | None = None
) -> Iterator[Compared]:
    """Compare read models one by one, each at the position where it stands when its turn comes.

    Whoever asks needs to read the read models and to make temporary tables.
    """
    for model in models:
        with connect(url, name=f"compare {model.name}") as connection:
            with connection.transaction():
                # One snapshot: the digest is of exactly this position, while the runner goes on.
                connection.execute(SQL("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
                position = tracked(connection).get(model.name, 0)
                digest = model.digest(connection)
            make_shadow(connection, model)
            Builder(connection, model, BATCH, progress).build(upto=position)
            yield Compared(model.name, position, digest, model.digest(connection, schema=SHADOW))
