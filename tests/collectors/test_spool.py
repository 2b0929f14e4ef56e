import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from collectors.errors import SpoolError
from collectors.spool import Spool, Spooled


def _sweep(sequence: int, concentrator: str = "C1") -> Spooled:
    return Spooled(concentrator=concentrator, sequence=sequence, message=b"sweep %d" % sequence)


def _filled(path: Path, count: int) -> Spool:
    spool = Spool(path)
    for sequence in range(1, count + 1):
        spool.append(_sweep(sequence))
    return spool


def test_sweeps_are_kept_across_a_restart_until_they_are_acknowledged(tmp_path: Path) -> None:
    spool = _filled(tmp_path / "spool", 5)
    assert spool.forget("C1", through=3) == 3
    epoch = spool.epoch
    spool.close()
    again = Spool(tmp_path / "spool")
    assert [kept.message for kept in again.after("C1", 0, limit=10)] == [b"sweep 4", b"sweep 5"]
    assert again.first_kept("C1") == 4
    assert again.epoch == epoch
    again.close()


def test_a_sequence_is_never_given_twice_even_when_all_is_acknowledged(tmp_path: Path) -> None:
    spool = _filled(tmp_path / "spool", 5)
    spool.forget("C1", through=5)
    spool.close()
    again = Spool(tmp_path / "spool")
    assert again.next_sequence("C1") == 6
    assert again.first_kept("C1") == 6
    with pytest.raises(SpoolError, match="sequence 5 is not the next one of C1"):
        again.append(_sweep(5))
    again.close()


def test_each_concentrator_counts_for_itself(tmp_path: Path) -> None:
    spool = _filled(tmp_path / "spool", 2)
    spool.append(_sweep(1, "C2"))
    spool.forget("C1", through=2)
    assert (spool.next_sequence("C1"), spool.next_sequence("C2"), spool.sweeps_kept()) == (3, 2, 1)
    spool.close()


def test_a_new_file_has_another_epoch_since_its_sequences_begin_again(tmp_path: Path) -> None:
    first, second = Spool(tmp_path / "first"), Spool(tmp_path / "second")
    assert first.epoch != second.epoch
    first.close()
    second.close()


def test_a_second_collector_on_the_same_spool_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with pytest.raises(SpoolError, match="in use by another collector"):
        Spool(tmp_path / "spool")
    spool.close()
    Spool(tmp_path / "spool").close()


def test_a_file_that_is_no_spool_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b"no database at all, " * 100)
    with pytest.raises(SpoolError, match="move it aside"):
        Spool(tmp_path / "spool")


def test_the_file_is_made_to_survive_a_power_cut(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with spool.transaction() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert sqlite3.connect(tmp_path / "spool").execute("PRAGMA journal_mode").fetchone() == ("wal",)
    spool.close()


def test_a_collector_killed_while_it_writes_loses_nothing_that_had_a_sequence(tmp_path: Path) -> None:
    writer = f"""if True:
        from pathlib import Path
        from collectors.spool import Spool, Spooled
        spool = Spool(Path({str(tmp_path / "spool")!r}))
        for sequence in range(1, 1_000_000):
            spool.append(Spooled(concentrator="C1", sequence=sequence, message=b"sweep %d" % sequence))
            print(sequence, flush=True)
        """
    process = subprocess.Popen([sys.executable, "-c", writer], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [int(next(process.stdout)) for _ in range(50)][-1]
    os.kill(process.pid, signal.SIGKILL)
    told = max([told, *(int(line) for line in process.stdout if line.endswith("\n"))])
    process.wait()
    spool = Spool(tmp_path / "spool")
    kept = spool.after("C1", 0, limit=1_000_000)
    assert [sweep.sequence for sweep in kept] == list(range(1, len(kept) + 1))
    assert len(kept) in (told, told + 1)
    assert spool.next_sequence("C1") == len(kept) + 1
    spool.close()
