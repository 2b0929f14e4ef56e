"""The site file: which concentrators a collector reads, and which meters hang on each.

    [collector]
    id = "edge-1"
    poll_interval_s = 60        # one sweep of every concentrator per interval
    request_timeout_s = 1.0
    request_retries = 1
    relay_timeout_s = 10        # how long a relay may take to read as ordered
    spool = "spool.sqlite"      # relative to this file
    spool_max_megabytes = 512   # beyond it old readings are thinned; each meter's newest is always kept
    spool_max_days = 35         # beyond it only each meter's newest reading is kept

    [[concentrators]]
    id = "C1"
    host = "10.0.0.17"
    port = 502

    [[concentrators.meters]]
    serial = "400000000001"
    unit = 1
    supply = "S1"
    profile = "acrel_ddsy1352"
    time_of_use = false         # true: the time-of-use registers go into the readings' `periods`; the ledger passes
                                # over those today and bills by the total

Only the ids, host, serial, unit and supply are required; the other values above are the defaults (port 502).
"""

from dataclasses import dataclass
from pathlib import Path

from collectors.errors import BadFile
from collectors.profile import Profile
from collectors.profile_library import load_profile, profile_names
from collectors.tables import Table, read_file

DEFAULT_PROFILE = "acrel_ddsy1352"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A meter on a concentrator's bus: its serial, its unit id there, and the supply point it measures."""

    serial: str
    unit: int
    supply: str
    profile: Profile
    time_of_use: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Concentrator:
    """A Modbus TCP gateway and the meters behind it; their requests run in series."""

    id: str
    host: str
    port: int
    meters: tuple[Meter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """All that one collector reads; durations in seconds."""

    collector: str
    poll_interval_s: float
    request_timeout_s: float
    request_retries: int
    relay_timeout_s: float
    spool: Path
    spool_max_megabytes: int
    spool_max_days: int
    concentrators: tuple[Concentrator, ...]


def read_site(path: Path) -> Site:
    """Read a site file; raises BadFile with every error in it, each with its place and its remedy.

    A relative spool path is relative to the site file.
    """
    root = read_file(path)
    collector = root.table("collector")
    site = Site(
        collector=collector.code("id", remedy="name this collector, such as edge-1"),
        poll_interval_s=collector.seconds("poll_interval_s", minimum=0.1, maximum=86_400, default=60.0),
        request_timeout_s=collector.seconds("request_timeout_s", minimum=0.05, maximum=60, default=1.0),
        request_retries=collector.integer("request_retries", minimum=0, maximum=5, default=1),
        relay_timeout_s=collector.seconds("relay_timeout_s", minimum=0.1, maximum=600, default=10.0),
        spool=path.parent / collector.text("spool", default="spool.sqlite"),
        spool_max_megabytes=collector.integer("spool_max_megabytes", minimum=1, maximum=1_000_000, default=512),
        spool_max_days=collector.integer("spool_max_days", minimum=1, maximum=3650, default=35),
        concentrators=tuple(_concentrator(table) for table in root.tables("concentrators")),
    )
    _report_doubles(root, site)
    root.check()
    return site


def _concentrator(table: Table) -> Concentrator:
    return Concentrator(
        id=table.code("id", remedy="name the concentrator as the ledger knows it"),
        host=table.text("host", remedy="give its host name or address"),
        port=table.integer("port", minimum=1, maximum=65_535, default=502),
        meters=tuple(_meter(meter) for meter in table.tables("meters")),
    )


def _meter(table: Table) -> Meter:
    profile = table.choice("profile", among=profile_names(), default=DEFAULT_PROFILE)
    return Meter(
        serial=table.code("serial", remedy="give the meter's number as printed on it"),
        unit=table.integer("unit", minimum=1, maximum=247),
        supply=table.code("supply", remedy="give the supply point's code as the ledger knows it"),
        profile=_loaded(table, profile),
        time_of_use=table.flag("time_of_use", default=False),
    )


def _loaded(table: Table, name: str) -> Profile:
    try:
        return load_profile(name)
    except BadFile as error:
        table.wrong("profile", str(error))
        return load_profile(DEFAULT_PROFILE)


def _report_doubles(root: Table, site: Site) -> None:
    """Report what must be unique: concentrator ids and addresses, serials, supplies, units on one bus."""
    seen: set[tuple[str, ...]] = set()

    def report(what: str, place: str, *key: str) -> None:
        if (what, *key) in seen:
            root.wrong(place, f"{what} {key[-1]!r} is there twice; each must be there once")
        seen.add((what, *key))

    for number, concentrator in enumerate(site.concentrators, start=1):
        place = f"concentrators[{number}]"
        report("concentrator", f"{place}.id", concentrator.id)
        report("address", f"{place}.port", f"{concentrator.host}:{concentrator.port}")
        for index, meter in enumerate(concentrator.meters, start=1):
            report("unit", f"{place}.meters[{index}].unit", concentrator.id, str(meter.unit))
            report("serial", f"{place}.meters[{index}].serial", meter.serial)
            report("supply", f"{place}.meters[{index}].supply", meter.supply)
