"""Writes the golden file of each fact that has none; run by hand, once per topic and version.

    python -m tests.ledger.write_golden

A golden file that is there is never rewritten: events like it are in somebody's ledger.
"""

from ledger.domain.event import Event
from ledger.store.mapper import stored
from tests.ledger.facts import FACTS, READING
from tests.ledger.test_golden_facts import golden_file


def main() -> None:
    for fact in FACTS:
        file = golden_file(fact.topic)
        if not file.exists():
            file.write_bytes(stored(Event(READING, 1, fact)).state + b"\n")
            print(f"wrote {file.name}")  # noqa: T201 - run by hand


if __name__ == "__main__":
    main()
