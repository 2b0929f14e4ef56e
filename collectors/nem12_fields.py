"""The fields of a NEM12 record: how each is written, to the letter, and what is wrong with one that is not.

Source: AEMO, Meter Data File Format Specification NEM12 & NEM13. Python reads more as a number than a bill may:
digits of other scripts, `1_0`, `1e20`, spaces around. Here a number is plain ASCII digits, or the file is refused.
"""

import re
from datetime import datetime
from decimal import Decimal

# Energy units that the specification allows, in milliwatt-hours each.
MILLIWH_PER_UNIT = {"WH": 1_000, "KWH": 1_000_000, "MWH": 1_000_000_000}
# What the wire carries as an integer: a reading beyond it would never be acknowledged.
MOST_MILLIWH = 2**63 - 1
# Beyond these a date is a slip, and near the calendar's ends UTC+10 leads out of it.
YEARS = (1990, 2100)
# A quality is a letter (actual, estimated, final substituted, null, substituted; V: see the 400 records) and the
# method's two digits. Bounded, as all that becomes evidence must be: a message has a largest size.
QUALITY = re.compile(r"[AEFNSV][0-9]{0,2}")
REASON_CODE = re.compile(r"[0-9]{0,3}")
# Exactly ten in the specification; files of meters outside the market carry shorter ones.
NMI = re.compile(r"[0-9A-Za-z]{1,10}")
SUFFIX = re.compile(r"[A-Z][0-9A-Z]")
WHOLE_NUMBER = re.compile(r"[0-9]{1,4}")
_ENERGY = re.compile(r"[0-9]+(\.[0-9]+)?")
_DATE8 = re.compile(r"[0-9]{8}")
_SHOWN = 40


def shown(text: str) -> str:
    """Quote a field for a message, shortened where it is long, its control characters visible."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def energy_problem(text: str, *, unit: str, is_import: bool) -> str | None:
    """Say what is wrong with an energy; None where it is a number that is read exactly.

    Import energy must also be whole milliwatt-hours, as many as a reading can carry; `unit` is in capitals.
    """
    if not _ENERGY.fullmatch(text):
        return f"{shown(text)}, not a number written as 1 or 1.5; a missing or negative energy cannot be billed"
    value = Decimal(text)
    if Decimal(repr(float(text))) != value:
        return f"{shown(text)}; more than 15 digits cannot be read exactly"
    if not is_import:
        return None
    milliwh = value * MILLIWH_PER_UNIT.get(unit, 1)
    if milliwh != milliwh.to_integral_value():
        return f"{text} {unit}, finer than one milliwatt-hour; round it"
    if milliwh > MOST_MILLIWH:
        return f"{text} {unit}, more than one reading can carry ({MOST_MILLIWH} mWh); check its unit"
    return None


def date_problem(text: str) -> str | None:
    """Say what is wrong with an interval date; None where it is a day of the years that are billed."""
    try:
        day = datetime.strptime(text, "%Y%m%d") if _DATE8.fullmatch(text) else None  # noqa: DTZ007 - a date only
    except ValueError:
        day = None
    if day is None:
        return f"{shown(text)} is no date; write it as YYYYMMDD"
    if not YEARS[0] <= day.year <= YEARS[1]:
        return f"{shown(text)} is not between the years {YEARS[0]} and {YEARS[1]}; correct it"
    return None
