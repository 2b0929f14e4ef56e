"""What power cuts, dying cards and full disks do to a spool, and that polling goes on."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from collectors.errors import SpoolError, SpoolUnusable
from collectors.spool import Spool, Spooled
from collectors.spool_file import opened


def _sweep(sequence: int) -> Spooled:
    return Spooled(concentrator="C1", sequence=sequence, message=b"sweep %d " % sequence * 20)


def _copied_while_open(directory: Path, *, sweeps: int) -> Path:
    """A spool's files as a power cut would leave them: nothing closed, nothing checkpointed."""
    (directory / "live").mkdir()
    (directory / "cut").mkdir()
    spool = Spool(directory / "live" / "spool")
    for sequence in range(1, sweeps + 1):
        spool.append(_sweep(sequence))
    for part in ("", "-wal"):
        shutil.copy(directory / "live" / f"spool{part}", directory / "cut" / f"spool{part}")
    spool.close()
    return directory / "cut" / "spool"


def _truncated(wal: bytearray, chance: random.Random) -> bytearray:
    return wal[: chance.randrange(len(wal))]


def _garbled_tail(wal: bytearray, chance: random.Random) -> bytearray:
    start = chance.randrange(len(wal))
    return wal[:start] + bytearray(chance.randbytes(len(wal) - start))


def _zeroed_tail(wal: bytearray, chance: random.Random) -> bytearray:
    start = chance.randrange(len(wal))
    return wal[:start] + bytearray(len(wal) - start)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("tear", [_truncated, _garbled_tail, _zeroed_tail])
def test_a_torn_log_leaves_whole_sweeps_up_to_some_sequence_and_goes_on_from_there(
    tmp_path: Path, tear: Callable[[bytearray, random.Random], bytearray], seed: int
) -> None:
    path = _copied_while_open(tmp_path, sweeps=30)
    wal = path.with_name("spool-wal")
    wal.write_bytes(tear(bytearray(wal.read_bytes()), random.Random(seed)))
    found = opened(path)
    kept = found.spool.after("C1", 0, limit=100)
    assert [sweep.sequence for sweep in kept] == list(range(1, len(kept) + 1))
    assert all(sweep == _sweep(sweep.sequence) for sweep in kept)
    assert found.spool.next_sequence("C1") == len(kept) + 1
    found.spool.append(_sweep(len(kept) + 1))
    found.spool.close()


def test_nothing_is_lost_where_the_log_is_whole(tmp_path: Path) -> None:
    spool = Spool(_copied_while_open(tmp_path, sweeps=30))
    assert len(spool.after("C1", 0, limit=100)) == 30
    spool.close()


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_file_is_set_aside_whole_and_a_new_epoch_begins(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "spool"
    spool = Spool(path)
    for sequence in range(1, 400):
        spool.append(_sweep(sequence))
    epoch = spool.epoch
    spool.close()
    content = bytearray(path.read_bytes())
    chance = random.Random(seed)
    for start in range(4096 * chance.randrange(2), len(content), 8192):
        content[start : start + 512] = chance.randbytes(512)
    path.write_bytes(content)
    found = opened(path)
    assert found.set_aside is not None
    assert found.set_aside.read_bytes() == content
    assert found.spool.epoch != epoch
    assert found.spool.next_sequence("C1") == 1
    found.spool.append(_sweep(1))
    found.spool.close()


def _fill(spool: Spool, *, first: int) -> None:
    for sequence in range(first, first + 1_000):
        spool.append(_sweep(sequence))


def _read_again(spool: Spool) -> None:
    """Read and change what is kept, past what lies in memory."""
    for _ in range(100):
        spool.after("C1", 0, limit=1_000)
        spool.forget("C1", through=100)
        with spool.transaction() as db:
            db.execute("PRAGMA shrink_memory")


def test_damage_met_at_work_is_told_apart_from_a_disk_that_is_full(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(path)
    for sequence in range(1, 200):
        spool.append(_sweep(sequence))
    with spool.transaction() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SpoolError, match="full") as full:
        _fill(spool, first=200)
    assert not isinstance(full.value, SpoolUnusable)
    assert not spool.damaged.is_set()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(SpoolUnusable):
        _read_again(spool)
    assert spool.damaged.is_set()
    spool.close()


def test_only_the_newest_three_files_set_aside_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    for _ in range(5):
        path.write_bytes(b"no database at all, " * 100)
        opened(path).spool.close()
    assert len(list(tmp_path.glob("spool.set-aside-*"))) == 3


def test_a_file_that_another_collector_holds_is_never_set_aside(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with pytest.raises(SpoolError, match="in use by another collector"):
        opened(tmp_path / "spool")
    assert list(tmp_path.glob("*.set-aside-*")) == []
    spool.close()
