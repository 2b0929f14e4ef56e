"""The root of every error the ledger raises."""


class LedgerError(Exception):
    """Something asked of the ledger cannot be done; the message names the value, the rule and the remedy."""


class InvalidValue(LedgerError):
    """A value from outside breaks a rule; nothing was changed."""


class NotFound(LedgerError):
    """The thing that was named does not exist."""


class Refused(LedgerError):
    """The command is well formed, but the ledger's state forbids it; nothing was changed."""


class Conflict(LedgerError):
    """The same idempotency key came with other content; nothing was changed."""

    def __init__(self, message: str, *, differences: str = "") -> None:
        super().__init__(message)
        self.differences = differences
