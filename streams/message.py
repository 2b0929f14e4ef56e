"""A Kafka message as the workers handle it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ledger.store.applied import Applied, Partition, message_digest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The year 9000: what a producer may claim, and a datetime can hold with room to calculate.
_LATEST_S = 221_845_219_200.0


def time_of(timestamp_s: float | None) -> datetime:
    """Return the time of a Kafka message; producers set it, so it may be absent, or any number."""
    return _EPOCH + timedelta(milliseconds=round(min(max(timestamp_s or 0.0, 0.0), _LATEST_S) * 1000))


@dataclass(frozen=True, slots=True)
class Message:
    """A message where it stands; `published_at` is the time that Kafka keeps with it (UTC)."""

    partition: Partition
    offset: int
    key: bytes | None
    value: bytes | None
    published_at: datetime

    @property
    def applied(self) -> Applied:
        """What the ledger keeps of this message once it is applied."""
        return Applied(self.offset, message_digest(self.key, self.value))
