"""The root of every error the edge raises."""


class CollectorError(Exception):
    """Something at the edge cannot be done; the message names the place, the value and the remedy."""


class BadFile(CollectorError):
    """A site, profile or interval file is refused whole; every error found in it is named."""

    def __init__(self, *, path: str, errors: list[str]) -> None:
        super().__init__(f"{path} is refused:\n" + "\n".join(f"  - {error}" for error in errors))
        self.errors = tuple(errors)


class DecodeError(CollectorError):
    """Words that a device answered are not what its profile says they are: a gap, never a number."""


class Unsendable(CollectorError):
    """A message of ours could not be read by the ledger; it is neither kept nor sent."""


class RequestFailed(CollectorError):
    """A Modbus request brought no usable answer; `reason` is a short stable code for metrics."""

    def __init__(self, *, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class SpoolError(CollectorError):
    """The spool cannot be used; nothing was lost or changed."""


class SpoolUnusable(SpoolError):
    """The spool's file is damaged, or an old copy: it must be set aside, and a new one begun."""


class LinkLost(CollectorError):
    """The broker, or our place in its logs, is gone: clients are made anew."""


class NotAcknowledged(CollectorError):
    """The ledger did not acknowledge in time what was published; publishing again is safe."""
