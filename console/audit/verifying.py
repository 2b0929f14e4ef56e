"""`audit verify`, put together: the ledger itself, then the read models and the kept state, and all of it told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from console.audit.folding import check_folding
from console.connection import NotReachable
from ledger.integrity.findings import Finding
from ledger.integrity.keys import PublicKeys
from ledger.integrity.verify import Verified, verify
from ledger.integrity.witness.records import RestoreAccepted, Witness
from projections.comparing import compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be verified; `fold` is how many supply points, −1 for all of them, 0 for none."""

    first: int = 1
    last: int | None = None
    witness: Witness | None = None
    keys: PublicKeys | None = None
    projections: bool = True
    fold: int = 0


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s")


def verified(url: str, wanted: Wanted) -> Verified:
    """Verify what is wanted, with a progress bar; raises NotReachable where the database refuses or is away."""
    try:
        with _progress() as progress:
            result = _ledger(url, wanted, progress)
            if wanted.projections:
                _projections(url, result, progress)
            if wanted.fold:
                _folding(url, wanted, result, progress)
    except psycopg.Error as error:
        raise NotReachable(f"the database refused or does not answer: {str(error).strip()}") from error
    return result


def _ledger(url: str, wanted: Wanted, progress: Progress) -> Verified:
    task = progress.add_task("events", total=None)
    return verify(
        url,
        first=wanted.first,
        last=wanted.last,
        witness=wanted.witness,
        keys=wanted.keys,
        progress=lambda done, total: progress.update(task, completed=done, total=total),
    )


def _projections(url: str, result: Verified, progress: Progress) -> None:
    task = progress.add_task("read models", total=None)
    for compared in compare(
        url, progress=lambda position, upto: progress.update(task, completed=position, total=upto)
    ):
        if not compared.is_equal:
            expected = f"digest {compared.rebuilt_digest} of {compared.name} at position {compared.position}"
            # One read model, not its events, is wrong: it is the position that it stands at.
            finding = Finding(
                "projections",
                compared.position,
                compared.position,
                expected,
                f"digest {compared.digest}; `wattledger projections rebuild {compared.name}` mends it",
            )
            result.findings.add(finding)


def _folding(url: str, wanted: Wanted, result: Verified, progress: Progress) -> None:
    task = progress.add_task("supply points", total=None)
    sample = None if wanted.fold < 0 else wanted.fold
    for finding in check_folding(
        url, sample=sample, progress=lambda done, total: progress.update(task, completed=done, total=total)
    ):
        result.findings.add(finding)


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description:>13}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress


def told(result: Verified, wanted: Wanted) -> Iterator[str]:
    """Yield the lines that tell what was verified, what is broken first, and what the rest is."""
    span = f"positions {result.first} to {result.last}" if result.last >= result.first else "no events"
    yield f"verified {span}: {result.events:,} events under {result.seals:,} seals"
    if wanted.keys is None and result.seals:
        yield "signatures are checked with the keys that the database keeps; --public-keys FILE checks with yours"
    if wanted.witness is None:
        yield "no witness was asked: a tail cut off together with its seals is not noticed; give --witness FILE"
    else:
        yield f"compared with the witness, {wanted.witness.name}"
        if result.unwitnessed_seals:
            yield f"{result.unwitnessed_seals} seals at the end are not at the witness yet"
        for record in wanted.witness.records():
            if isinstance(record, RestoreAccepted):
                yield (
                    f"restored: on {record.accepted_at.isoformat()} {record.operator} took the database as of seal"
                    f" {record.after} ({record.reason}); what came after it then is gone"
                )
    if result.unsealed:
        yield f"{result.unsealed:,} events are newer than the last seal: whole, but not tamper-evident yet"
    yield from _broken(result)


def _broken(result: Verified) -> Iterator[str]:
    first = result.findings.first
    if first is None:
        yield "everything is as it must be"
        return
    yield f"BROKEN at {first.where}"
    yield f"  expected: {first.expected}"
    yield f"  found:    {first.found}"
    counts = ", ".join(f"{count:,} by {check}" for check, count in sorted(result.findings.by_check.items()))
    yield f"{result.findings.affected:,} positions are affected ({counts})"
    for finding in result.findings.in_order()[1:10]:
        yield f"also {finding.where}: expected {finding.expected}, found {finding.found}"
