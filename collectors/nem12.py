"""NEM12 interval files to readings: import-energy channels (E), summed per interval of each NMI, exactly.

Times in NEM12 are market time, UTC+10 the whole year. Source: AEMO, Meter Data File Format Specification.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from collectors.errors import BadFile
from collectors.nem12_fields import MILLIWH_PER_UNIT, MOST_MILLIWH
from collectors.nem12_lines import Nem12Check
from ledger import wire
from ledger.values.identity import interval_id

if TYPE_CHECKING:
    from nemreader.nem_objects import Reading as NemReading

INTERVALS_PER_SWEEP = 96
PROFILE = "nem12"
_MARKET_TIME = timezone(timedelta(hours=10))
_QUALITY: dict[str, wire.Quality] = {
    "A": "measured",
    "E": "estimated",
    "F": "substituted",
    "S": "substituted",
    "N": "unknown",
}
# From best to worst: a sum is as good as its worst part.
_RANK: tuple[wire.Quality, ...] = ("measured", "substituted", "estimated", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredChannel:
    """A channel that is not import energy, so that nobody wonders where it went."""

    nmi: str
    suffix: str
    unit: str
    intervals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Nem12File:
    """What an interval file holds: per NMI its readings in order of time, and the channels passed over."""

    sha256: str
    readings: dict[str, tuple[wire.IntervalReading, ...]]
    ignored: tuple[IgnoredChannel, ...]
    kind: str = PROFILE

    @property
    def nmis(self) -> tuple[str, ...]:
        """The NMIs that have import energy, in the file's order."""
        return tuple(self.readings)


def parse_nem12(path: Path, *, meters: Mapping[str, str] | None = None) -> Nem12File:
    """Parse a NEM12 file; `meters` maps an NMI to its meter's serial, an NMI not in it stands for itself.

    Raises BadFile, naming every wrong line: a malformed file is refused whole.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(path=str(path), errors=[f"cannot be read: {error}"]) from None
    errors = Nem12Check().file(text)
    if errors:
        raise BadFile(path=str(path), errors=list(errors))
    channels = _channels(text)
    readings: dict[str, tuple[wire.IntervalReading, ...]] = {}
    ignored: list[IgnoredChannel] = []
    for nmi, by_suffix in channels.items():
        imports = {suffix: reads for suffix, reads in by_suffix.items() if suffix.startswith("E") and reads}
        ignored += [_ignored(nmi, suffix, reads) for suffix, reads in by_suffix.items() if suffix not in imports]
        if imports:
            readings[nmi] = _summed(str(path), nmi, imports, meter=(meters or {}).get(nmi, nmi))
    return Nem12File(sha256=hashlib.sha256(content).hexdigest(), readings=readings, ignored=tuple(ignored))


def import_sweeps(file: Nem12File, *, concentrators: Mapping[str, str]) -> list[wire.Sweep]:
    """Put a file's readings into sweeps of at most 96 intervals, in sequence per concentrator.

    `concentrators` maps each NMI to import to its supply's concentrator; NMIs that it lacks stay out. The same
    file with the same mapping always gives the same sweeps, so that the ledger knows them again; what is imported
    names the collector, so that another selection from the same file is not mistaken for a repetition.
    """
    chosen = {nmi: concentrators[nmi] for nmi in file.nmis if nmi in concentrators}
    collector = _collector_id(file, chosen)
    sequences: dict[str, int] = {}
    sweeps = []
    for nmi, concentrator in chosen.items():
        readings = file.readings[nmi]
        for start in range(0, len(readings), INTERVALS_PER_SWEEP):
            sequences[concentrator] = sequences.get(concentrator, 0) + 1
            sweeps.append(
                wire.Sweep(
                    concentrator=concentrator,
                    collector=collector,
                    sequence=sequences[concentrator],
                    readings=[wire.Reading(interval=r) for r in readings[start : start + INTERVALS_PER_SWEEP]],
                )
            )
    return sweeps


def _collector_id(file: Nem12File, chosen: Mapping[str, str]) -> str:
    digest = hashlib.sha256(file.sha256.encode())
    for nmi, concentrator in sorted(chosen.items()):
        digest.update(f"|{nmi}|{file.readings[nmi][0].meter}|{concentrator}".encode())
    return f"{file.kind}.{digest.hexdigest()[:16]}"


def _channels(text: str) -> "dict[str, dict[str, list[NemReading]]]":
    # Imported here: it brings pandas with it, which a collector beside a concentrator has no use for.
    from nemreader import NEMFile

    file = NEMFile("", strict=True)
    channels: dict[str, dict[str, list[NemReading]]] = file.parse_nem_file(text.splitlines()).readings
    return channels


def _summed(
    path: str, nmi: str, channels: "Mapping[str, Iterable[NemReading]]", *, meter: str
) -> tuple[wire.IntervalReading, ...]:
    by_suffix = {suffix: {(r.t_start, r.t_end): r for r in reads} for suffix, reads in channels.items()}
    spans = sorted({span for reads in by_suffix.values() for span in reads})
    for suffix, reads in by_suffix.items():
        for start, end in spans:
            if (start, end) not in reads:
                problem = f"{nmi} {suffix} lacks the interval from {start} to {end} that its other E channels have"
                raise BadFile(path=path, errors=[f"{problem}; ask for a complete file"])
    readings = tuple(_interval(meter, span, {s: reads[span] for s, reads in by_suffix.items()}) for span in spans)
    for (start, _), reading in zip(spans, readings, strict=True):
        if reading.import_milliwh > MOST_MILLIWH:
            problem = f"{nmi} has {reading.import_milliwh} mWh from {start} in all its E channels"
            raise BadFile(path=path, errors=[f"{problem}, more than one reading can carry; check their units"])
    return readings


def _interval(meter: str, span: tuple[datetime, datetime], parts: "Mapping[str, NemReading]") -> wire.IntervalReading:
    qualities = [_QUALITY[(read.quality_method or "N")[0]] for read in parts.values()]
    start, end = _in_utc(span[0]), _in_utc(span[1])
    return wire.IntervalReading(
        meter=meter,
        start=start,
        end=end,
        # A later file replaces what an earlier one gave for the same span, where its quality is better.
        supersedes=interval_id(meter=meter, start=start, end=end),
        import_milliwh=sum(_milliwh(read) for read in parts.values()),
        quality=max(qualities, key=_RANK.index),
        profile=PROFILE,
        raw=" + ".join(_evidence(suffix, read) for suffix, read in sorted(parts.items())),
    )


def _milliwh(read: "NemReading") -> int:
    # The float's shortest text is the file's own number: the check of the lines has made sure of that.
    milliwh = Decimal(repr(read.read_value)) * MILLIWH_PER_UNIT[read.uom.upper()]
    return int(milliwh)


def _evidence(suffix: str, read: "NemReading") -> str:
    reason = f"/{read.event_code}" if read.event_code else ""
    return f"{suffix} {Decimal(repr(read.read_value))} {read.uom} {read.quality_method}{reason}"


def _in_utc(market_time: datetime) -> datetime:
    return market_time.replace(tzinfo=_MARKET_TIME).astimezone(UTC)


def _ignored(nmi: str, suffix: str, reads: "list[NemReading]") -> IgnoredChannel:
    return IgnoredChannel(nmi=nmi, suffix=suffix, unit=reads[0].uom if reads else "", intervals=len(reads))
