"""A Kafka message as the workers handle it."""

from dataclasses import dataclass
from datetime import datetime

from ledger.store.applied import Applied, Partition, message_digest


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
