"""What we ask of a Kafka cluster before we use it: whether it answers, and who it is."""

import asyncio
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError


def answers(process: subprocess.Popen[bytes], *, bootstrap: str, cluster_id: str, timeout_s: float) -> bool:
    """Wait until a starting broker answers a metadata request; False when it ends or is too late.

    The cluster id tells its answer from that of another broker that holds the port.
    """
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        if _is_listening(bootstrap) and cluster_id_at(bootstrap) == cluster_id:
            return True
        time.sleep(0.05)
    return False


def cluster_id_at(bootstrap: str) -> str | None:
    """Ask a cluster for its id; None when nobody answers at `bootstrap` (host:port, commas between several).

    It may be called from within a running event loop, which it blocks for a moment.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, _asked_cluster_id(bootstrap)).result()


async def _asked_cluster_id(bootstrap: str) -> str | None:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
    try:
        await client.start()
        return str((await client.describe_cluster())["cluster_id"])
    except (KafkaError, OSError):
        return None
    finally:
        await client.close()


def _is_listening(bootstrap: str) -> bool:
    """Tell whether a single address accepts connections: quieter than a Kafka client that fails to connect."""
    host, _, port = bootstrap.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except OSError:
        return False
    return True
