"""A collector's reading side alone, as at a site: sweeps of all concentrators at once, each into the spool."""

import asyncio
import json
import resource
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from collectors.logs import quiet_logs
from collectors.metrics import CollectorMetrics
from collectors.modbus import Bus
from collectors.sendable import message_of
from collectors.site import Site, read_site
from collectors.site_lines import Terminal
from collectors.spool import Spool, Spooled
from collectors.sweep import Sweeper
from ledger.wire import Sweep


async def _measured(site: Site, spool: Spool, sweeps: int) -> dict[str, float]:
    metrics = CollectorMetrics()
    sweepers = []
    for concentrator in site.concentrators:
        if isinstance(concentrator.line, Terminal):
            raise AssertionError("this site has no terminals")
        bus = Bus(line=concentrator.line, timeout_s=site.timeout_s(concentrator))
        now = lambda: datetime.now(UTC)  # noqa: E731 - as short as that
        sweepers.append(Sweeper(concentrator=concentrator, bus=bus, retries=1, metrics=metrics, now=now))

    async def one(sweeper: Sweeper) -> int:
        readings = await sweeper.sweep()
        name = sweeper.concentrator.id
        sequence = await asyncio.to_thread(spool.next_sequence, name)
        sweep = Sweep(concentrator=name, collector="bench", sequence=sequence, readings=readings)
        kept = Spooled(concentrator=name, sequence=sequence, message=message_of(sweep))
        await asyncio.to_thread(spool.append, kept)
        return len(readings)

    meters = sum(len(concentrator.meters) for concentrator in site.concentrators)
    took_s, read = [], 0
    began_cpu_s = time.process_time()
    for _ in range(sweeps):
        began_s = time.monotonic()
        read += sum(await asyncio.gather(*(one(sweeper) for sweeper in sweepers)))
        took_s.append(time.monotonic() - began_s)
    cpu_s = time.process_time() - began_cpu_s
    return {
        "sweep_s": statistics.median(took_s),
        "gaps": meters * sweeps - read,
        "cpu_ms_per_reading": 1000 * cpu_s / max(1, read),
        "cpu_share": cpu_s / sum(took_s),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Sweep a site file's concentrators a number of times and print the figures as JSON."""
    quiet_logs()
    path = Path(sys.argv[1])
    spool = Spool(path.with_name("spool.sqlite"))
    try:
        found = asyncio.run(_measured(read_site(path), spool, int(sys.argv[2])))
    finally:
        spool.close()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
