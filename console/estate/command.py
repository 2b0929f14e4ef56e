"""`wattledger import estate`: read, plan, book, write site files, with bars that show how far it is."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from console.connection import opened_as
from console.estate.csv_file import read_estate
from console.estate.importing import EstateOutcome, book, plan
from console.estate.site_files import check_site_files, site_files, write_site_files
from console.progress import progress_bars
from ledger.store.batched import BatchedLedger


def import_estate(
    environ: Mapping[str, str], *, file: Path, dry_run: bool, sites: Path | None, replace: bool
) -> Iterator[str]:
    """Set an estate up and tell what was done.

    Raises EstateRefused with every error, Refused where others wrote meanwhile, SiteFileStands for a site file that
    is another.
    """
    rows = read_estate(file)
    files = site_files(rows) if sites is not None else {}
    if sites is not None and not replace:
        check_site_files(sites, files)
    with opened_as(environ, BatchedLedger) as ledger, progress_bars() as bars:
        checking = bars.add_task("checking", total=len(rows))
        changed = plan(
            ledger, file, rows, now=datetime.now(UTC), progress=lambda count: bars.advance(checking, count)
        )
        outcome = EstateOutcome(rows=len(rows), changed=changed)
        if not dry_run:
            booking = bars.add_task("booking", total=changed)
            book(ledger, progress=lambda count: bars.advance(booking, count))
    verb = "to set up" if dry_run else "set up"
    yield f"{outcome.changed} supply points {verb}, {outcome.standing} stand already"
    if sites is not None and dry_run:
        yield from (f"would write {sites / name}" for name in files)
    elif sites is not None:
        yield from write_site_files(sites, files) or ["the site files stand already"]
