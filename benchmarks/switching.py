"""`switching`: from a top-up with consent committed to the relay's read-back confirmed, through the real processes.

Everybody is off for lack of credit; one after the other tops up. `tcp` has 100 meters behind fast concentrators,
`line` 32 meters on one line of 9,600 baud that is swept without a pause, so that each order comes in mid-sweep.
"""

from benchmarks.dark_estate import dark_estate
from benchmarks.report import Report, Row
from projections.latencies import top_up_to_relay_s


def measure(*, quick: bool) -> Report:
    """Measure both and report their quantiles."""
    report = Report("switching", "top-up with consent committed → relay read back closed")
    for name, concentrators, meters_each, is_slow in (("tcp", 4, 25, False), ("line", 1, 32, True)):
        waits = sorted(_waits(concentrators, meters_each, is_slow=is_slow, top_ups=20 if quick else 100))
        report.rows.append(
            Row(
                name,
                {
                    "meters": concentrators * meters_each,
                    "top_ups": len(waits),
                    "p50_s": waits[len(waits) // 2],
                    "p99_s": waits[min(len(waits) * 99 // 100, len(waits) - 1)],
                    "longest_s": waits[-1],
                },
            )
        )
    report.bars = ("p99, seconds", {row.name: float(row.figures["p99_s"]) for row in report.rows})
    return report


def _waits(concentrators: int, meters_each: int, *, is_slow: bool, top_ups: int) -> list[float]:
    with dark_estate(concentrators=concentrators, meters_each=meters_each, is_slow=is_slow) as estate:
        after = estate.bench.head()
        for supply in estate.supplies[:top_ups]:
            estate.top_up(supply)
            estate.await_on(supply)
        return top_up_to_relay_s(estate.bench.connection, after=after)
