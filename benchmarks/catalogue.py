"""Every benchmark by its name."""

from typing import Protocol

from benchmarks import (
    audit,
    field,
    growth,
    history,
    latency,
    midnight,
    pricing,
    pricing_core,
    projection,
    restart,
    switching,
)
from benchmarks.report import Report


class Measure(Protocol):
    """A benchmark: measures several runs, fewer and smaller ones where it shall be quick."""

    def __call__(self, *, quick: bool) -> Report:
        """Measure and report."""


BENCHMARKS: dict[str, Measure] = {
    "core": pricing_core.report,
    "ceiling": pricing.measure_ceiling,
    "pricing": pricing.measure,
    "library": pricing.measure_library,
    "projection": projection.measure,
    "latency": latency.measure,
    "growth": growth.measure,
    "midnight": midnight.measure,
    "restart": restart.measure,
    "audit": audit.measure,
    "field": field.measure,
    "switching": switching.measure,
    "history": history.measure,
}
