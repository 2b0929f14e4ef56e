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

    mqtt = "mqtt.toml"          # only where meters are heard over MQTT: collectors/mqtt.py tells what it holds
    request_pause_s = 0         # how long a bus rests between two requests

    [[concentrators]]
    id = "C1"
    transport = "tcp"           # or rtu-over-tcp, serial, dial-in: collectors/site_lines.py tells their keys
    host = "10.0.0.17"
    port = 502
    request_timeout_s = 1.0     # here and below: instead of the collector's
    request_pause_s = 0

    [[concentrators.meters]]
    serial = "400000000001"
    unit = 1
    supply = "S1"
    profile = "acrel_ddsy1352"  # `wattledger collectors profiles` lists them
    request_timeout_s = 1.0     # for a meter that is slower than its neighbours
    time_of_use = false         # true: the time-of-use registers go into the readings' `periods`; only where
                                # the meter's own periods are those of the tariff
    protected = false           # true: this supply is never cut for lack of credit, whatever is ordered

Only the ids, host, serial, unit and supply are required; the other values above are the defaults (port 502).
"""

from dataclasses import dataclass
from pathlib import Path

from collectors.dial_in import ListenerPlan
from collectors.errors import BadFile
from collectors.lines import SerialLine, TcpLine
from collectors.profile import Profile
from collectors.profile_library import load_profile, profile_names
from collectors.site_lines import Terminal, read_line, read_listener
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
    request_timeout_s: float | None = None
    protected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Concentrator:
    """A gateway, serial port or terminal, and the meters behind it; their requests run in series."""

    id: str
    line: TcpLine | SerialLine | Terminal
    meters: tuple[Meter, ...]
    request_timeout_s: float | None = None
    request_pause_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """All that one collector reads; durations in seconds."""

    collector: str
    poll_interval_s: float
    request_timeout_s: float
    request_retries: int
    request_pause_s: float
    relay_timeout_s: float
    spool: Path
    spool_max_megabytes: int
    spool_max_days: int
    concentrators: tuple[Concentrator, ...]
    listeners: tuple[ListenerPlan, ...] = ()
    mqtt: Path | None = None

    def timeout_s(self, concentrator: Concentrator) -> float:
        """Return how long an answer on a concentrator's bus may take."""
        return concentrator.request_timeout_s or self.request_timeout_s

    def pause_s(self, concentrator: Concentrator) -> float:
        """Return how long a concentrator's bus rests between two requests."""
        own_s = concentrator.request_pause_s
        return self.request_pause_s if own_s is None else own_s


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
        request_pause_s=collector.seconds("request_pause_s", minimum=0, maximum=10, default=0.0),
        relay_timeout_s=collector.seconds("relay_timeout_s", minimum=0.1, maximum=600, default=10.0),
        spool=path.parent / collector.text("spool", default="spool.sqlite"),
        mqtt=path.parent / collector.text("mqtt") if collector.has("mqtt") else None,
        spool_max_megabytes=collector.integer("spool_max_megabytes", minimum=1, maximum=1_000_000, default=512),
        spool_max_days=collector.integer("spool_max_days", minimum=1, maximum=3650, default=35),
        concentrators=tuple(_concentrator(table, path.parent) for table in root.tables("concentrators")),
        listeners=tuple(read_listener(table, folder=path.parent) for table in root.optional_tables("listeners")),
    )
    _report_doubles(root, site)
    root.check()
    return site


def _concentrator(table: Table, folder: Path) -> Concentrator:
    return Concentrator(
        id=table.code("id", remedy="name the concentrator as the ledger knows it"),
        line=read_line(table, folder=folder),
        meters=tuple(_meter(meter) for meter in table.tables("meters")),
        request_timeout_s=_seconds(table, "request_timeout_s", minimum=0.05),
        request_pause_s=_seconds(table, "request_pause_s", minimum=0.0),
    )


def _seconds(table: Table, key: str, *, minimum: float) -> float | None:
    return table.seconds(key, minimum=minimum, maximum=60) if table.has(key) else None


def _meter(table: Table) -> Meter:
    profile = table.choice("profile", among=profile_names(), default=DEFAULT_PROFILE)
    return Meter(
        serial=table.code("serial", remedy="give the meter's number as printed on it"),
        unit=table.integer("unit", minimum=1, maximum=247),
        supply=table.code("supply", remedy="give the supply point's code as the ledger knows it"),
        profile=_loaded(table, profile),
        time_of_use=table.flag("time_of_use", default=False),
        protected=table.flag("protected", default=False),
        request_timeout_s=_seconds(table, "request_timeout_s", minimum=0.05),
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

    listeners = {listener.id for listener in site.listeners}
    for number, listener in enumerate(site.listeners, start=1):
        report("listener", f"listeners[{number}].id", listener.id)
        report("address", f"listeners[{number}].port", f"{listener.host}:{listener.port}")
    for number, concentrator in enumerate(site.concentrators, start=1):
        place = f"concentrators[{number}]"
        report("concentrator", f"{place}.id", concentrator.id)
        report("address", f"{place}.{concentrator.line.key}", concentrator.line.place)
        line = concentrator.line
        if isinstance(line, Terminal) and line.listener not in listeners:
            root.wrong(
                f"{place}.listener", f"{line.listener!r} is no listener; add a [[listeners]] table with this id"
            )
        for index, meter in enumerate(concentrator.meters, start=1):
            report("unit", f"{place}.meters[{index}].unit", concentrator.id, str(meter.unit))
            report("serial", f"{place}.meters[{index}].serial", meter.serial)
            report("supply", f"{place}.meters[{index}].supply", meter.supply)
