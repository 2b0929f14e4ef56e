"""A ledger away for weeks: what gives way in the spool, and what never does."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.metrics import CollectorMetrics
from collectors.sendable import message_of, parts_of
from collectors.spool import Spool, Spooled
from collectors.spool_bounds import DAY_S, HOUR_S, BoundsKeeper, SpoolBounds
from collectors.thinning import KeptBuckets, thinned
from ledger import wire

_NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def _register(meter: str, minute: int) -> wire.Reading:
    read_at = _NOON + timedelta(minutes=minute)
    return wire.Reading(register=wire.RegisterReading(meter=meter, read_at=read_at, import_milliwh=minute))


def _interval(meter: str, minute: int) -> wire.Reading:
    start = _NOON + timedelta(minutes=minute)
    return wire.Reading(
        interval=wire.IntervalReading(meter=meter, start=start, end=start + timedelta(minutes=15), import_milliwh=7)
    )


def _sweep(sequence: int, *readings: wire.Reading) -> wire.Sweep:
    return wire.Sweep(concentrator="C1", collector="e", sequence=sequence, readings=list(readings))


def _keep(spool: Spool, sweep: wire.Sweep) -> None:
    spool.append(Spooled(concentrator="C1", sequence=sweep.sequence, message=message_of(sweep)))


def _kept(spool: Spool) -> list[wire.Sweep]:
    sweeps = [wire.decode_meter_message(kept.message) for kept in spool.after("C1", 0, limit=1_000_000)]
    return [sweep for sweep in sweeps if isinstance(sweep, wire.Sweep)]


def _minutes(sweeps: list[wire.Sweep], meter: str) -> list[int]:
    readings = [reading.register for sweep in sweeps for reading in sweep.readings]
    return [r.import_milliwh for r in readings if r is not None and r.meter == meter]


def _intervals(sweeps: list[wire.Sweep]) -> list[wire.Reading]:
    return [reading for sweep in sweeps for reading in sweep.readings if reading.interval is not None]


def _thinned(sweeps: list[wire.Sweep], span_s: int) -> list[wire.Sweep]:
    kept: KeptBuckets = {}
    return [thinned(sweep, span_s=span_s, kept=kept) for sweep in reversed(sweeps)][::-1]


def test_thinning_to_hours_keeps_each_hours_newest_reading_of_each_meter() -> None:
    sweeps = [_sweep(n + 1, _register("a", n), _register("b", n)) for n in range(150)]
    left = _thinned(sweeps, HOUR_S)
    assert _minutes(left, "a") == _minutes(left, "b") == [59, 119, 149]


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=5), max_size=30),
    st.sampled_from([0, 600, HOUR_S, DAY_S]),
)
def test_thinning_never_takes_a_sequence_an_interval_or_a_meters_newest_reading(
    drawn: list[list[tuple[str, bool]]], span_s: int
) -> None:
    sweeps = [
        _sweep(
            n + 1,
            *(
                _interval(meter, n * 15) if is_interval else _register(meter, n * 15 + i)
                for i, (meter, is_interval) in enumerate(readings)
            ),
        )
        for n, readings in enumerate(drawn)
    ]
    left = _thinned(sweeps, span_s)
    assert [sweep.sequence for sweep in left] == [sweep.sequence for sweep in sweeps]
    assert [r for s in left for r in s.readings if r.interval] == [
        r for s in sweeps for r in s.readings if r.interval
    ]
    for meter in "abc":
        before, after = _minutes(sweeps, meter), _minutes(left, meter)
        assert after[-1:] == before[-1:]
        assert after == [minute for minute in before if minute in after]


def test_a_spool_at_its_bytes_is_thinned_bills_all_and_keeps_its_sequences(tmp_path: Path) -> None:
    spool, metrics = Spool(tmp_path / "spool"), CollectorMetrics()
    keeper = BoundsKeeper(spool=spool, bounds=SpoolBounds(max_bytes=600_000, max_days=35), metrics=metrics)
    for n in range(600):
        _keep(spool, _sweep(n + 1, *(_register(f"m{m}", n) for m in range(20))))
        if n % 20 == 0:
            keeper.keep()
        assert not keeper.is_full
    kept = _kept(spool)
    assert [sweep.sequence for sweep in kept] == list(range(1, 601))
    for meter in range(20):
        minutes = _minutes(kept, f"m{meter}")
        assert minutes[-1] == 599
        assert minutes == sorted(minutes)
        assert len(minutes) < 600
    assert metrics.registry.get_sample_value("wattledger_spool_thinned_readings_total") == sum(
        600 - len(_minutes(kept, f"m{meter}")) for meter in range(20)
    )
    spool.close()


def test_a_spool_full_of_intervals_takes_no_more_and_loses_none(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    keeper = BoundsKeeper(spool=spool, bounds=SpoolBounds(max_bytes=100_000, max_days=35), metrics=CollectorMetrics())
    count = 0
    while not keeper.is_full:
        count += 1
        _keep(spool, _sweep(count, _interval("m", count * 15)))
        keeper.keep()
    assert [len(sweep.readings) for sweep in _kept(spool)] == [1] * count
    spool.forget("C1", through=count)
    assert not keeper.is_full
    spool.close()


def test_what_is_older_than_its_days_is_thinned_to_each_meters_newest(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    for n in range(10):
        _keep(spool, _sweep(n + 1, _register("m", n)))
    with spool.transaction() as db:
        db.execute("UPDATE sweeps SET spooled_at = ? WHERE sequence <= 6", (time.time() - 36 * DAY_S,))
    BoundsKeeper(spool=spool, bounds=SpoolBounds(), metrics=CollectorMetrics()).keep()
    assert _minutes(_kept(spool), "m") == [5, 6, 7, 8, 9]
    spool.close()


def test_a_load_profile_too_long_for_one_message_is_cut_in_order() -> None:
    readings = [_interval("m", n * 15) for n in range(10_000)]
    parts = parts_of(readings)
    assert [reading for part in parts for reading in part] == readings
    assert len(parts) > 1
    assert all(len(message_of(_sweep(1, *part))) < 1_000_000 for part in parts)
    assert parts_of(readings[:100]) == [readings[:100]]
