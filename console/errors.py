"""The root of every error the console raises."""


class ConsoleError(Exception):
    """Something asked for on the command line cannot be done; the message says what to do about it."""


class ServiceFailed(ConsoleError):
    """A process of ours did not start, or ended when it should not have."""
