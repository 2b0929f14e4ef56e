"""A meter's own clock, read only to report how far it is off: readings are stamped by the collector's clock."""

from datetime import UTC, datetime, timedelta, timezone

from collectors.decode import hex_of
from collectors.errors import DecodeError
from collectors.profile import Clock


def clock_reading(words: tuple[int, ...], *, clock: Clock) -> datetime:
    """Decode a meter's clock to UTC; raises DecodeError for words that are no time."""
    text = hex_of(words)
    if clock.format == "unix-u32":
        return datetime.fromtimestamp(int(text, 16), tz=UTC)
    if not text.isdecimal():
        raise DecodeError(f"the meter's clock shows {text}, which is not BCD")
    year, month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(0, 12, 2))
    zone = timezone(timedelta(minutes=clock.utc_offset_minutes))
    try:
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except ValueError:
        raise DecodeError(f"the meter's clock shows {text}, which is no time") from None
