"""The spool's bounds, in days and bytes, and what gives way at them.

Beyond the bytes, readings are thinned: first to one per meter and hour, then to one per meter and day, at last to the
newest of each meter, until a good part of the room is free again. Beyond the days only the newest reading of each
meter is kept. Sequences are never removed, so what is left is published without a gap; registers are cumulative, so
what is left bills everything. Where even that is too much, new sweeps are not kept until the ledger takes old ones:
gaps, which the next reading closes.
"""

import time
from dataclasses import dataclass

import structlog

from collectors.metrics import CollectorMetrics
from collectors.sendable import message_of
from collectors.spool import Spool, Spooled
from collectors.thinning import KeptBuckets, thinned
from ledger import wire

log = structlog.get_logger(__name__)

HOUR_S = 3_600
DAY_S = 86_400
_NEWEST_ONLY = 0
# Thinning goes on until this share of the bytes is left, so that it is not begun anew with every sweep.
_LOW_WATER_PERCENT = 75
_SWEEPS_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolBounds:
    """How much a spool may hold, and for how long in full."""

    max_bytes: int = 512 * 1024 * 1024
    max_days: int = 35


@dataclass(slots=True, kw_only=True)
class BoundsKeeper:
    """Keeps a spool within its bounds; `keep` is to be called now and then, from any thread but one at a time."""

    spool: Spool
    bounds: SpoolBounds
    metrics: CollectorMetrics
    _aged_at_s: float = 0.0

    @property
    def is_full(self) -> bool:
        """Whether thinning has not helped: nothing more can be kept."""
        return self.spool.bytes_used() > self.bounds.max_bytes

    def keep(self) -> None:
        """Thin what is too old, and what is too much; raises SpoolError where the file cannot be written."""
        now_s = time.time()
        if now_s - self._aged_at_s >= HOUR_S:
            self._aged_at_s = now_s
            self._thin(span_s=_NEWEST_ONLY, spooled_before_s=now_s - self.bounds.max_days * DAY_S)
        if not self._is_above(90):
            return
        for span_s in (HOUR_S, DAY_S, _NEWEST_ONLY):
            self._thin(span_s=span_s, spooled_before_s=float("inf"))
            if not self._is_above(_LOW_WATER_PERCENT):
                return
        log.error("spool is full of what cannot be thinned", bytes=self.spool.bytes_used())

    def _is_above(self, percent: int) -> bool:
        return self.spool.bytes_used() * 100 > self.bounds.max_bytes * percent

    def _thin(self, *, span_s: int, spooled_before_s: float) -> None:
        dropped = sum(
            self._thin_one(concentrator, span_s, spooled_before_s) for concentrator in self.spool.concentrators()
        )
        if dropped:
            self.metrics.spool_thinned.inc(dropped)
            log.warning("spool thinned", readings=dropped, to_one_per_s=span_s or "meter")

    def _thin_one(self, concentrator: str, span_s: int, spooled_before_s: float) -> int:
        """Walk from the newest sweep to the oldest, a few at a time, so that polling is not held up."""
        kept: KeptBuckets = {}
        dropped, below = 0, self.spool.last_sequence(concentrator) + 1
        while page := self.spool.before(
            concentrator, below, limit=_SWEEPS_AT_ONCE, spooled_before_s=spooled_before_s
        ):
            below = page[-1].sequence
            changed: list[Spooled] = []
            for spooled in page:
                sweep = wire.decode_meter_message(spooled.message)
                if not isinstance(sweep, wire.Sweep):
                    continue
                thinner = thinned(sweep, span_s=span_s, kept=kept)
                if thinner is not sweep:
                    dropped += len(sweep.readings) - len(thinner.readings)
                    changed.append(
                        Spooled(concentrator=concentrator, sequence=spooled.sequence, message=message_of(thinner))
                    )
            if changed:
                self.spool.replace(changed)
        return dropped
