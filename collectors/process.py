"""The collector as a process: signals, the metrics' server, a site file that changes, a spool that is replaced."""

import asyncio
from pathlib import Path

import structlog

from collectors.collect import Collector
from collectors.errors import CollectorError, SpoolUnusable
from collectors.metrics import CollectorMetrics, MetricsServer
from collectors.settings import CollectorSettings
from collectors.signals import until_stopped
from collectors.signed_site import read_signed_site
from collectors.site import Site
from collectors.spool_file import opened, set_aside
from ledger.values.signing import OrderVerifier

log = structlog.get_logger(__name__)


class Process:
    """The collector as a process: its site file may change, and its spool be replaced, while it runs."""

    def __init__(self, settings: CollectorSettings) -> None:
        """Raise CollectorError for a wrong site file or a spool that cannot be used."""
        self._settings = settings
        self._site = self._read_site()
        self._path: Path = settings.spool or self._site.spool
        self.metrics = CollectorMetrics()
        self._is_finishing = False
        self._reloading: set[asyncio.Task[None]] = set()
        self._one_reload = asyncio.Lock()
        self._open()

    def _read_site(self) -> Site:
        return read_signed_site(
            self._settings.site_file,
            verifier=OrderVerifier(self._settings.order_public_key),
            must_be_signed=self._settings.site_signed,
        )

    def _open(self) -> None:
        found = opened(self._path)
        if found.set_aside is not None:
            self.metrics.spools_set_aside.inc()
        self.collector = Collector(settings=self._settings, site=self._site, spool=found.spool, metrics=self.metrics)

    async def run(self) -> None:
        """Collect until cancelled, with a new spool where the old one proves to be damaged."""
        while True:
            log.info("collecting", collector=self.collector.id, concentrators=len(self._site.concentrators))
            try:
                await self.collector.run()
            except SpoolUnusable as error:
                self.collector.spool.close()
                set_aside(self._path, reason=str(error))
                self.metrics.spools_set_aside.inc()
            else:
                return
            self._site = self.collector.site
            self._open()
            if self._is_finishing:
                self.collector.finish_polling()

    def finish_polling(self) -> None:
        """Ask for the final sweep."""
        self._is_finishing = True
        self.collector.finish_polling()

    def reload(self) -> None:
        """Read the site file again and work by it; one that is wrong changes nothing."""
        task = asyncio.create_task(self._reload())
        self._reloading.add(task)
        task.add_done_callback(self._reloading.discard)

    async def _reload(self) -> None:
        try:
            async with self._one_reload:
                site = await asyncio.to_thread(self._read_site)
                await self.collector.take_over(site)
        except CollectorError as error:
            self.metrics.reloads.labels("refused").inc()
            log.error("site file not taken over, working by the old one", error=str(error))
        else:
            self._site = site
            self.metrics.reloads.labels("taken-over").inc()
            log.info("site file taken over", concentrators=len(site.concentrators))

    def health(self) -> dict[str, object]:
        """Say in a few words how the collector fares."""
        return self.collector.health()

    def close(self) -> None:
        """Let another process have the spool."""
        self.collector.spool.close()


async def collect(settings: CollectorSettings) -> None:
    """Run a collector until SIGTERM or SIGINT; SIGUSR1 asks for the final sweep, SIGHUP reads the site file again.

    Raises CollectorError for a wrong site file, a spool that cannot be used or a metrics port that is taken.
    """
    process = Process(settings)
    try:
        server = _serve(settings, process)
        try:
            await until_stopped(process.run(), on_usr1=process.finish_polling, on_hup=process.reload)
        finally:
            if server is not None:
                server.stop()
    finally:
        process.close()
    log.info("collector stopped", collector=process.collector.id)


def _serve(settings: CollectorSettings, process: Process) -> MetricsServer | None:
    if settings.metrics_port == 0:
        return None
    try:
        server = MetricsServer(
            host=settings.metrics_host, port=settings.metrics_port, metrics=process.metrics, health=process.health
        )
    except OSError as error:
        place = f"{settings.metrics_host}:{settings.metrics_port}"
        raise CollectorError(f"metrics cannot be served on {place}: {error}; free it or set another port") from None
    server.start()
    return server
