"""`audit`: verifying a ledger, against reading the same rows and hashing them and nothing else; and its memory.

Both read every event; the verification does all of its work but the comparison of read models.
"""

import hashlib
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import Any
from uuid import UUID, uuid5

from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from benchmarks.errors import BenchmarkFailed
from benchmarks.priced_tariffs import EVERYTHING
from benchmarks.pricing_core import priced_debits
from benchmarks.report import Report, Row
from benchmarks.stand import Stand, connected, standing
from ledger.integrity.kept import introduce_key, newest_seal
from ledger.integrity.keys import SealingKey
from ledger.integrity.rows import event_rows
from ledger.integrity.sealing import sealed_next
from ledger.integrity.verify import verify
from ledger.store.gate import gated

_STREAMS = UUID("00000000-0000-0000-0000-00000000beef")
_STREAM_COUNT = 2_000
_APPEND_AT_ONCE = 5_000
_KEY = SealingKey("44" * 32)


def measure(*, quick: bool) -> Report:
    """Grow a ledger of priced debits in steps, and verify it at each size."""
    sizes = (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000)
    runs = 3 if quick else 5
    rows: list[Row] = []
    with standing() as stand:
        for size in sizes:
            _grow(stand, size)
            rows.append(_measured(stand, size, runs=runs))
    report = Report("audit", f"audit verify, median of {runs} runs, without read models")
    report.rows = rows
    report.figures |= {"ratio_to_hashing": rows[-1].figures["ratio_to_hashing"]}
    report.bars = ("peak memory, MB", {row.name: float(row.figures["peak_mb"]) for row in rows})
    return report


def _measured(stand: Stand, size: int, *, runs: int) -> Row:
    hashing, verifying = [], []
    for _ in range(runs):
        hashing.append(size / _timed(lambda: _hash_all(stand, size)))
        verifying.append(size / _timed(lambda: _verify_all(stand, size)))
    baseline, rate = statistics.median(hashing), statistics.median(verifying)
    ratio = statistics.median(one / other for one, other in zip(verifying, hashing, strict=True))
    figures = {
        "verified_per_s": rate,
        "hashed_per_s": baseline,
        "ratio_to_hashing": ratio,
        "peak_mb": _peak_mb(stand.url),
    }
    return Row(f"{size:,} events", figures)


def _hash_all(stand: Stand, size: int) -> None:
    with connected(stand.url) as connection:
        count = 0
        for row in event_rows(connection, first=1, last=size):
            hashlib.sha256(row).digest()
            count += 1
    if count != size:
        raise BenchmarkFailed(f"{count} events were read of {size}")


def _verify_all(stand: Stand, size: int) -> None:
    verified = verify(stand.url)
    if verified.events != size or verified.findings.told:
        raise BenchmarkFailed(f"{verified.events} events of {size} verified, found {verified.findings.told[:1]}")


def _peak_mb(url: str) -> float:
    """Return the most memory that verifying takes, in a process of its own: its own and its workers'."""
    outcome = subprocess.run(
        [sys.executable, "-m", "benchmarks.audit", url], capture_output=True, text=True, check=False, timeout=600
    )
    if outcome.returncode != 0:
        raise BenchmarkFailed(outcome.stderr[-2_000:])
    return float(outcome.stdout)


def _grow(stand: Stand, size: int) -> None:
    """Append priced debits up to a size, seal them all, and let PostgreSQL take note of it."""
    states = priced_debits(EVERYTHING)
    events = stand.head()
    while events < size:
        batch = [
            StoredEvent(
                uuid5(_STREAMS, str(number % _STREAM_COUNT)),
                number // _STREAM_COUNT + 1,
                states[number % len(states)].topic,
                states[number % len(states)].state,
            )
            for number in range(events, min(events + _APPEND_AT_ONCE, size))
        ]
        with gated(stand.connection) as gate:
            gate.append(batch)
        events += len(batch)
    _seal(stand.connection, size)
    stand.connection.execute("VACUUM ANALYZE ledger.events")


def _seal(connection: Connection[Any], size: int) -> None:
    newest = newest_seal(connection)
    introduce_key(connection, _KEY, first_seal=newest.number + 1 if newest else 1)
    while newest is None or newest.last_position < size:
        newest = sealed_next(connection, _KEY, newest=newest, upto=size)


def _timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Verify once, and print the peak memory in megabytes."""
    verify(sys.argv[1])
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    largest_child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    children = (os.cpu_count() or 1) if largest_child else 0
    sys.stdout.write(f"{(own + children * largest_child) / 1024:.1f}\n")


if __name__ == "__main__":
    main()
