"""Reading everything that one meter shows, raw and decoded: for whoever stands before it and doubts a profile."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from collectors.daily_check import decimal_text, read_log
from collectors.decode import digits, hex_of, relay_state, value
from collectors.device_clock import clock_reading
from collectors.errors import DecodeError, RequestFailed
from collectors.lines import Line
from collectors.meter_reader import MeterReader
from collectors.modbus import Bus
from collectors.profile import Clock, Profile, Quantity, RecordLog, Relay
from collectors.profile_library import load_profile
from collectors.read_plan import Words, plan_of
from collectors.reading import factor, multipliers_of
from collectors.site import Meter, Site
from collectors.site_meter import reaching

_KILOWATTS = {"W": 1, "kW": 1000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One quantity as the meter shows it: its words in hex, and what they mean or why they mean nothing."""

    name: str
    function: int
    address: int
    kind: str
    raw: str
    meaning: str
    unit: str
    confidence: str
    is_problem: bool = False


def a_meter(*, profile: str, unit: int, serial: str = "probed") -> Meter:
    """Make a meter that no site file knows; raises BadFile for a profile that is not known."""
    return Meter(serial=serial, unit=unit, supply="probed", profile=load_profile(profile), time_of_use=False)


async def probe_line(*, line: Line, meter: Meter, timeout_s: float) -> list[Shown]:
    """Read every quantity of a meter over a line of its own; what cannot be read is told, never raised."""
    bus = Bus(line=line, timeout_s=timeout_s)
    try:
        return await probe(MeterReader(meter=meter, bus=bus))
    finally:
        bus.close()


async def probe_site(*, site: Site, serial: str, wait_s: float) -> list[Shown]:
    """Read every quantity of a site's meter, waiting for its terminal where it dials in.

    Raises BadFile where the site has no such meter, CollectorError where a listener's port is taken.
    """
    async with reaching(site=site, serial=serial, wait_s=wait_s) as (_, reader):
        return await probe(reader)


async def probe(reader: MeterReader) -> list[Shown]:
    """Read every quantity of a meter's profile, its relay's state, its clock and its logs."""
    profile = reader.meter.profile
    words: Words = {}
    problems: dict[Quantity, str] = {}
    for block in plan_of(profile.quantities, words_per_read=profile.words_per_read):
        try:
            words |= await reader.read(block.quantities, retries=1)
        except RequestFailed as error:
            problems |= dict.fromkeys(block.quantities, str(error))
    shown = [_shown(profile, quantity, words, problems) for quantity in profile.quantities]
    for part in (profile.relay, profile.clock, *profile.logs):
        if part is not None:
            shown.append(await _other(reader, part))
    return shown


def _shown(profile: Profile, quantity: Quantity, words: Words, problems: dict[Quantity, str]) -> Shown:
    problem, meaning = problems.get(quantity, ""), ""
    if quantity in words:
        try:
            meaning, problem = _meaning(profile, quantity, words)
        except DecodeError as error:
            problem = str(error)
    elif not problem:
        problem = "the meter has no such register"
    return Shown(
        name=quantity.name,
        function=quantity.function,
        address=quantity.address,
        kind=quantity.kind,
        raw=hex_of(words.get(quantity, ())),
        meaning=problem or meaning,
        unit="" if problem else quantity.unit,
        confidence=quantity.confidence,
        is_problem=bool(problem),
    )


def _meaning(profile: Profile, quantity: Quantity, words: Words) -> tuple[str, str]:
    """Return what a quantity's words mean, and what is wrong with that."""
    if quantity is profile.serial:
        return digits(words[quantity], quantity=quantity, layout=profile.layout), ""
    multipliers = multipliers_of(profile, words) if quantity.multiplied_by else {}
    number = value(
        words[quantity], quantity=quantity, layout=profile.layout, multiplier=factor(quantity, multipliers)
    )
    text = decimal_text(number.numerator, number.denominator)
    limit_w = profile.max_power_w
    if limit_w is not None and quantity.unit in _KILOWATTS and abs(number) * _KILOWATTS[quantity.unit] > limit_w:
        return text, f"{text} {quantity.unit} is beyond the profile's {limit_w} W; check its kind, order and scale"
    return text, ""


async def _other(reader: MeterReader, part: Relay | Clock | RecordLog) -> Shown:
    name = {Relay: "relay", Clock: "clock"}.get(type(part), getattr(part, "name", ""))
    function = reader.meter.profile.read_function if isinstance(part, Relay) else part.function
    address = part.state_address if isinstance(part, Relay) else part.address
    raw, meaning, is_problem = "", "", False
    try:
        if isinstance(part, RecordLog):
            records = await read_log(reader, part)
            raw, meaning = " ".join(records[:1]), f"{len(records)} records"
        else:
            count = 1 if isinstance(part, Relay) else part.word_count
            words = await reader.read_words(function=function, address=address, count=count, retries=1)
            raw = hex_of(words)
            meaning = relay_state(words[0], relay=part) if isinstance(part, Relay) else _clock(words, part)
    except (RequestFailed, DecodeError) as error:
        meaning, is_problem = str(error), True
    return Shown(
        name=name,
        function=function,
        address=address,
        kind="state" if isinstance(part, Relay) else "",
        raw=raw,
        meaning=meaning,
        unit="",
        confidence="" if isinstance(part, Relay) else part.confidence,
        is_problem=is_problem,
    )


def _clock(words: tuple[int, ...], clock: Clock) -> str:
    shown = clock_reading(words, clock=clock)
    return f"{shown.isoformat()}, {(shown - datetime.now(UTC)).total_seconds():+.0f} s by this machine's clock"


def has_total(shown: Iterable[Shown]) -> bool:
    """Tell whether the register that is billed by was read."""
    return any(row.name == "total" and row.kind and not row.is_problem for row in shown)
