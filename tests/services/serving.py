"""The real HTTP server in a thread of the test's process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from console.api.services import Services
from console.embedded.ports import LOOPBACK, free_port
from console.serving import make_served_app


@contextmanager
def served(services: Services, *, url: str) -> Iterator[str]:
    """Serve the API on a free port while the block runs, then close its services; give its address."""
    port = free_port()
    app = make_served_app(services, database_url=url)
    server = uvicorn.Server(uvicorn.Config(app, host=LOOPBACK, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    yield f"http://{LOOPBACK}:{port}"
    server.should_exit = True
    thread.join(timeout=20)
    services.close()
