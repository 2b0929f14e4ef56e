"""What a benchmark says when it cannot be run."""


class BenchmarkFailed(Exception):
    """Something did not work as it must for the figures to mean anything."""
