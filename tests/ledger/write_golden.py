"""Writes the golden file of each example that has none; run by hand, once per topic and version or field gained.

    python -m tests.ledger.write_golden

A golden file that is there is never rewritten: events like it are in somebody's ledger.
"""

from ledger.domain.event import Event
from ledger.store.mapper import stored
from tests.ledger.facts import READING
from tests.ledger.test_golden_facts import golden_files


def main() -> None:
    for file, fact in golden_files().items():
        if not file.exists():
            file.write_bytes(stored(Event(READING, 1, fact)).state + b"\n")
            print(f"wrote {file.name}")  # noqa: T201 - run by hand


if __name__ == "__main__":
    main()
