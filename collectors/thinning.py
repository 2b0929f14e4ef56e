"""What a sweep may lose when the spool is full: older readings of a cumulative register that a newer one implies.

The sweep itself, and so its sequence, always stays: the ledger takes sequences without gaps only. A register's newest
reading always stays, so what was used is billed to the last watt-hour, only at coarser times. An interval is energy
of its own that no other reading implies, and stays.
"""

import msgspec

from ledger import wire

# For each meter the bucket of time whose reading is kept already; one for a walk from the newest sweep to the oldest.
KeptBuckets = dict[str, int]


def thinned(sweep: wire.Sweep, *, span_s: int, kept: KeptBuckets) -> wire.Sweep:
    """Return the sweep with at most one register reading per meter and `span_s` of time, the newest of it.

    With a span of 0 only the very newest reading of each meter is kept.
    """
    readings = [reading for reading in reversed(sweep.readings) if _is_kept(reading, span_s, kept)]
    if len(readings) == len(sweep.readings):
        return sweep
    return msgspec.structs.replace(sweep, readings=readings[::-1])


def _is_kept(reading: wire.Reading, span_s: int, kept: KeptBuckets) -> bool:
    if reading.register is None:
        return True
    bucket = int(reading.register.read_at.timestamp()) // span_s if span_s else 0
    if kept.get(reading.register.meter) == bucket:
        return False
    kept[reading.register.meter] = bucket
    return True
