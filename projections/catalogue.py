"""Every read model there is, by name."""

from ledger.values.errors import NotFound
from projections import (
    agents,
    balances,
    books,
    conditions,
    habits,
    held,
    journal,
    links,
    proposals,
    receipts,
    relay,
    sites,
    supplies,
    worklist,
)
from projections.model import ReadModel

MODELS: tuple[ReadModel, ...] = (
    agents.MODEL,
    balances.MODEL,
    books.MODEL,
    conditions.MODEL,
    habits.MODEL,
    held.MODEL,
    journal.MODEL,
    links.MODEL,
    proposals.MODEL,
    receipts.MODEL,
    relay.MODEL,
    sites.MODEL,
    supplies.MODEL,
    worklist.MODEL,
)


def named(name: str) -> ReadModel:
    """Return the read model of this name; raises NotFound naming those there are."""
    for model in MODELS:
        if model.name == name:
            return model
    raise NotFound(f"no projection is called {name!r}; there are {', '.join(model.name for model in MODELS)}")
