"""The root of every error the stream workers raise."""


class StreamError(Exception):
    """A worker cannot go on; the message names the partition, what was found and what to do."""
