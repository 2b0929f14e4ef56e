"""The `price` process: Faust's app, the publisher and the metrics, until a signal or an error ends it."""

import asyncio
import logging
import signal
from collections.abc import Mapping

import structlog
from prometheus_client import start_http_server

from ledger.collecting import tune_collector
from ledger.taking_turns import take_short_turns
from streams.app import Worker, end_process
from streams.publisher import OrderPublisher
from streams.settings import Settings, read_settings

log = structlog.get_logger()

_STOP_TIMEOUT_S = 20.0


def main(environ: Mapping[str, str]) -> int:
    """Run the worker until SIGTERM or SIGINT; raises InvalidValue for wrong settings."""
    settings = read_settings(environ)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    tune_collector()
    take_short_turns()
    asyncio.run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    worker = Worker(settings)
    worker.warm_up()
    await worker.app.start()
    background = [asyncio.create_task(worker.acks.run()), asyncio.create_task(OrderPublisher(settings).run())]
    background.append(asyncio.create_task(_serve_when_ready(worker, settings)))
    watching = [*background, asyncio.create_task(_crash_of(worker))]
    stopped = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait({stopped, *watching}, return_when=asyncio.FIRST_COMPLETED)
    for task in done - {stopped}:
        end_process(task.exception() or RuntimeError("a background task of the worker ended"))
    log.info("stopping")
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    await asyncio.wait_for(worker.app.stop(), _STOP_TIMEOUT_S)
    worker.close()


async def _serve_when_ready(worker: Worker, settings: Settings) -> None:
    """Serve metrics (and so health) from the first assignment on: who does not answer yet is not at work yet."""
    await worker.is_ready.wait()
    if settings.metrics_port:
        start_http_server(settings.metrics_port, settings.metrics_host)
    await asyncio.Event().wait()


async def _crash_of(worker: Worker) -> None:
    """Return when Faust has crashed: its app then stops reading without ending the process."""
    while not worker.app.crashed:
        await asyncio.sleep(0.2)
    raise worker.app.crash_reason or RuntimeError("Faust crashed")
