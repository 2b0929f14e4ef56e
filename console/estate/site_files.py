"""The collectors' site files that an estate makes: one per collector, the same estate always the same files."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from console.errors import ConsoleError
from console.estate.csv_file import EstateRow


class SiteFileStands(ConsoleError):
    """A site file is there already, and is another."""


def site_files(rows: Sequence[EstateRow]) -> dict[str, str]:
    """Return each collector's site file by its name; concentrators without a host are left out: nobody polls them."""
    collectors = sorted({row.collector for row in rows if row.host})
    return {
        f"{collector}.toml": _site_file(collector, [row for row in rows if row.host and row.collector == collector])
        for collector in collectors
    }


def check_site_files(directory: Path, files: dict[str, str]) -> None:
    """Raise SiteFileStands where one of the files is there and is another."""
    others = [
        name for name, text in files.items() if (directory / name).exists() and not _stands(directory / name, text)
    ]
    if others:
        raise SiteFileStands(
            f"{directory} has another {', '.join(others)}; give --replace to overwrite, or another directory"
        )


def write_site_files(directory: Path, files: dict[str, str]) -> list[str]:
    """Write the files that do not stand as they are to be, and return what was done."""
    directory.mkdir(parents=True, exist_ok=True)
    changed = {name: text for name, text in files.items() if not _stands(directory / name, text)}
    for name, text in changed.items():
        draft = directory / f"{name}.new"
        draft.write_text(text, encoding="utf-8")
        draft.replace(directory / name)
    return [f"wrote {directory / name}" for name in changed]


def _stands(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def _site_file(collector: str, rows: Sequence[EstateRow]) -> str:
    lines = ["[collector]", f"id = {json.dumps(collector)}", ""]
    concentrators = dict.fromkeys(row.point.concentrator for row in rows)
    for concentrator in sorted(concentrators):
        lines += _concentrator([row for row in rows if row.point.concentrator == concentrator])
    return "\n".join(lines)


def _concentrator(rows: Sequence[EstateRow]) -> Iterable[str]:
    first = rows[0]
    yield from ("[[concentrators]]", f"id = {json.dumps(first.point.concentrator)}")
    yield from (f"host = {json.dumps(first.host)}", f"port = {first.port}", "")
    for row in sorted(rows, key=lambda one: one.unit):
        meter = row.point.meter
        yield from ("[[concentrators.meters]]", f"serial = {json.dumps(meter.serial)}", f"unit = {row.unit}")
        yield from (f"supply = {json.dumps(row.point.supply)}", f"profile = {json.dumps(meter.profile)}")
        # Whoever tells how its registers by period stood wants them billed.
        yield from ["time_of_use = true"] * (row.point.opening_registers is not None)
        yield ""
