"""The spool: sweeps and relay results kept on disk until those who must have them say they do.

End to end the spool is the log of record (design §3): a sweep is written here before it is published, and
forgotten only when the ledger's acknowledgement covers it. One SQLite file in WAL mode, `synchronous=FULL`, so
that a sweep that has a sequence survives a power cut. What relay orders were accepted lies in the same file.

It is bounded: see `spool_bounds.py` for what gives way when the ledger stays away for too long.
"""

import fcntl
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from collectors.errors import SpoolError, SpoolUnusable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sequences (concentrator TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sweeps (
    concentrator TEXT NOT NULL, sequence INTEGER NOT NULL, message BLOB NOT NULL, spooled_at REAL NOT NULL,
    PRIMARY KEY (concentrator, sequence)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (id INTEGER PRIMARY KEY AUTOINCREMENT, concentrator TEXT NOT NULL,
    message BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    supply TEXT NOT NULL, sequence INTEGER NOT NULL, order_id TEXT NOT NULL, result BLOB,
    PRIMARY KEY (supply, sequence)
) WITHOUT ROWID;
"""

# What SQLite says of a file that no retry will mend; the rest, a full disk above all, may pass.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# The write-ahead log is cut back to this much once its pages are in the file.
_WAL_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """A message in the spool with the number by which it is forgotten."""

    concentrator: str
    sequence: int
    message: bytes


class Spool:
    """One collector's spool file; safe to use from several threads, owned by one process at a time."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; raises SpoolError where that fails or another process holds it.

        Raises SpoolUnusable where the file is damaged; `spool_file.opened` sets such a file aside.
        """
        self._path = path
        self._mutex = threading.Lock()
        self.damaged = threading.Event()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._guard = (path.parent / f"{path.name}.lock").open("w")
        except OSError as error:
            raise self._error(
                f"cannot be made: {error}; set WATTLEDGER_SPOOL to a place that can be written"
            ) from None
        try:
            fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._prepare()
        except OSError as error:
            self._guard.close()
            raise self._error(f"is in use by another collector ({error}); give each its own spool") from None
        except sqlite3.Error as error:
            self._guard.close()
            raise self._told(error, f"cannot be opened: {error}; move it aside to begin a new one") from None
        except SpoolError:
            self._db.close()
            self._guard.close()
            raise
        meta = dict(self._db.execute("SELECT key, value FROM meta").fetchall())
        self.epoch = str(meta["epoch"])
        # Orders signed before this file was begun cannot be told from those that its predecessor obeyed.
        self.begun_at_s = float(meta["begun-at"]) if "begun-at" in meta else 0.0
        self._last = {str(row[0]): int(row[1]) for row in self._db.execute("SELECT * FROM sequences")}

    def close(self) -> None:
        """Close the file and let another process have it."""
        with self._mutex:
            self._db.close()
            self._guard.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run statements as one durable change, or as none."""
        with self._mutex:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise self._told(error, f"failed: {error}; see to the disk") from error
                raise

    def concentrators(self) -> list[str]:
        """Return every concentrator that has sweeps here, those that have left the site file among them."""
        with self.transaction() as db:
            return [row[0] for row in db.execute("SELECT DISTINCT concentrator FROM sweeps").fetchall()]

    def next_sequence(self, concentrator: str) -> int:
        """Return the sequence that the concentrator's next sweep takes; the first is 1."""
        return self.last_sequence(concentrator) + 1

    def last_sequence(self, concentrator: str) -> int:
        """Return the highest sequence ever given, 0 before the first."""
        with self._mutex:
            return self._last.get(concentrator, 0)

    def append(self, spooled: Spooled) -> None:
        """Keep a sweep durably; raises SpoolError unless its sequence is the concentrator's next."""
        with self.transaction() as db:
            row = db.execute("SELECT last FROM sequences WHERE concentrator = ?", (spooled.concentrator,)).fetchone()
            if spooled.sequence != (row[0] if row else 0) + 1:
                raise self._error(f"sequence {spooled.sequence} is not the next one of {spooled.concentrator}")
            db.execute("INSERT OR REPLACE INTO sequences VALUES (?, ?)", (spooled.concentrator, spooled.sequence))
            db.execute(
                "INSERT INTO sweeps VALUES (?, ?, ?, ?)",
                (spooled.concentrator, spooled.sequence, spooled.message, time.time()),
            )
        with self._mutex:
            self._last[spooled.concentrator] = spooled.sequence

    def replace(self, thinner: Iterable[Spooled]) -> None:
        """Put other messages in the place of sweeps that are still kept; their sequences stay."""
        with self.transaction() as db:
            db.executemany(
                "UPDATE sweeps SET message = ? WHERE concentrator = ? AND sequence = ?",
                [(spooled.message, spooled.concentrator, spooled.sequence) for spooled in thinner],
            )

    def before(
        self, concentrator: str, sequence: int, *, limit: int, spooled_before_s: float = float("inf")
    ) -> list[Spooled]:
        """Return the sweeps of a concentrator below a sequence, the newest first, at most `limit`."""
        with self.transaction() as db:
            rows = db.execute(
                "SELECT sequence, message FROM sweeps WHERE concentrator = ? AND sequence < ? AND spooled_at < ? "
                "ORDER BY sequence DESC LIMIT ?",
                (concentrator, sequence, min(spooled_before_s, 1e15), limit),
            ).fetchall()
        return [Spooled(concentrator=concentrator, sequence=row[0], message=row[1]) for row in rows]

    def bytes_used(self) -> int:
        """Return how many bytes of the file hold something; pages given free are used again."""
        with self._mutex:
            pages = self._db.execute("PRAGMA page_count").fetchone()[0]
            free = self._db.execute("PRAGMA freelist_count").fetchone()[0]
            return int(pages - free) * int(self._db.execute("PRAGMA page_size").fetchone()[0])

    def after(self, concentrator: str, sequence: int, *, limit: int) -> list[Spooled]:
        """Return the sweeps of a concentrator above a sequence, in order, at most `limit`."""
        with self.transaction() as db:
            rows = db.execute(
                "SELECT sequence, message FROM sweeps WHERE concentrator = ? AND sequence > ? "
                "ORDER BY sequence LIMIT ?",
                (concentrator, sequence, limit),
            ).fetchall()
        return [Spooled(concentrator=concentrator, sequence=row[0], message=row[1]) for row in rows]

    def forget(self, concentrator: str, *, through: int) -> int:
        """Delete what an acknowledgement covers; returns how many sweeps that were."""
        with self.transaction() as db:
            return db.execute(
                "DELETE FROM sweeps WHERE concentrator = ? AND sequence <= ?", (concentrator, through)
            ).rowcount

    def first_kept(self, concentrator: str) -> int:
        """Return the lowest sequence kept, or the next one to be given if none is."""
        with self.transaction() as db:
            row = db.execute("SELECT min(sequence) FROM sweeps WHERE concentrator = ?", (concentrator,)).fetchone()
        return int(row[0]) if row[0] is not None else self.next_sequence(concentrator)

    def sweeps_kept(self) -> int:
        """Count the sweeps that the ledger has not acknowledged."""
        with self.transaction() as db:
            return int(db.execute("SELECT count(*) FROM sweeps").fetchone()[0])

    def oldest_age_s(self) -> float:
        """Return the age in seconds of the oldest sweep kept, 0 when there is none."""
        with self.transaction() as db:
            oldest = db.execute("SELECT min(spooled_at) FROM sweeps").fetchone()[0]
        return max(0.0, time.time() - oldest) if oldest is not None else 0.0

    def results_kept(self, *, limit: int) -> list[Spooled]:
        """Return the relay results that the broker has not taken, oldest first."""
        with self.transaction() as db:
            rows = db.execute(
                "SELECT id, concentrator, message FROM results ORDER BY id LIMIT ?", (limit,)
            ).fetchall()
        return [Spooled(concentrator=row[1], sequence=row[0], message=row[2]) for row in rows]

    def forget_results(self, *, through: int) -> None:
        """Delete the relay results that the broker has taken."""
        with self.transaction() as db:
            db.execute("DELETE FROM results WHERE id <= ?", (through,))

    def _prepare(self) -> None:
        mode = self._db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        self._db.execute("PRAGMA synchronous=FULL")
        if mode != "wal" or self._db.execute("PRAGMA synchronous").fetchone()[0] != 2:
            raise self._error("cannot be kept safe from power cuts here: it needs a local disk (no network share)")
        self._db.execute(f"PRAGMA journal_size_limit={_WAL_BYTES_MAX}")
        found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise SpoolUnusable(f"spool {self._path} is damaged: {found}; move it aside to begin a new one")
        self._db.executescript(_SCHEMA)
        # Sequences restart at 1 in a new file: the epoch tells the ledger one file's sequences from another's.
        if self._db.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (secrets.token_hex(6),)).rowcount:
            self._db.execute("INSERT INTO meta VALUES ('begun-at', ?)", (repr(time.time()),))

    def _error(self, problem: str) -> SpoolError:
        return SpoolError(f"spool {self._path} {problem}")

    def _told(self, error: sqlite3.Error, problem: str) -> SpoolError:
        """Tell damage, which no retry mends, from what may pass."""
        # Errors of Python's own side of sqlite3 carry no code.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            self.damaged.set()
            return SpoolUnusable(f"spool {self._path} {problem}")
        return self._error(problem)
