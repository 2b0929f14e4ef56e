"""Tariffs as the ledger has them: every published version, read from the events themselves."""

import os
import re
from pathlib import Path
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from console.connection import finance_connection
from console.errors import ConsoleError
from console.tariffs.files import text_of
from ledger.domain.tariff import TariffHistory, TariffPublished, evolve
from ledger.store.mapper import fact_of

_VERSION = re.compile(r"(?P<tariff>.+)@(?P<version>[1-9][0-9]*)")
# The first condition is the partial index's own, word for word: it passes over all debits.
_PUBLISHED = """
SELECT topic, state FROM ledger.events
WHERE topic NOT LIKE 'meter.%%' AND topic = %s
ORDER BY notification_id
"""


def published_tariffs(connection: Connection[Any]) -> dict[str, TariffHistory]:
    """Return the history of every tariff, by code."""
    histories: dict[str, TariffHistory] = {}
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(_PUBLISHED, (TariffPublished.topic,))
        for topic, state in cursor:
            fact = fact_of(topic, bytes(state))
            if isinstance(fact, TariffPublished):
                histories[fact.tariff] = evolve(histories.get(fact.tariff), fact)
    return dict(sorted(histories.items()))


def published_version(connection: Connection[Any], *, tariff: str, version: int = 0) -> TariffPublished:
    """Return a version of a tariff, the newest for 0; raises ConsoleError where there is none."""
    histories = published_tariffs(connection)
    if tariff not in histories:
        known = ", ".join(histories) or "none is published"
        raise ConsoleError(f"there is no tariff {tariff!r}; known: {known}")
    versions = {row.version: row for row in histories[tariff].versions}
    if (version or max(versions)) not in versions:
        raise ConsoleError(f"tariff {tariff!r} has no version {version}; it has 1 to {max(versions)}")
    return versions[version or max(versions)]


def text_of_reference(reference: str) -> str:
    """Return the text that `FILE` or `TARIFF@N` names; a file that is there wins."""
    found = _VERSION.fullmatch(reference)
    if found is None or Path(reference).exists():
        return text_of(Path(reference))
    with finance_connection(os.environ) as connection:
        return published_version(connection, tariff=found["tariff"], version=int(found["version"])).text
