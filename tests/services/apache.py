"""Apache Kafka 4 as one KRaft node, from Maven Central's jars, with the interface of the embedded broker."""

import base64
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest

from console.cluster import answers
from console.embedded.child import kill_child, log_tail, start_child, stop_child
from console.embedded.ports import LOOPBACK, free_port
from console.errors import ServiceFailed

_HERE = Path(__file__).parent / "kafka"
_REPOSITORY = Path(__file__).parents[2]
_JVM = ["java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]


def kafka_jars() -> Path:
    """Fetch Kafka's jars once, into .wattledger/kafka/<version>, and return their directory.

    Without Java 17, Maven or Maven Central the test is skipped with the reason; where CI=true it fails.
    """
    version = re.search(r"<kafka.version>(.+)</kafka.version>", (_HERE / "pom.xml").read_text())
    assert version is not None
    jars = _REPOSITORY / ".wattledger" / "kafka" / version[1]
    _require_java()
    if not jars.exists():
        _fetch(jars)
    return jars


def _fetch(jars: Path) -> None:
    if shutil.which("mvn") is None:
        _unavailable("Maven (mvn) is not installed")
    jars.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix="fetching-", dir=jars.parent))
    command = ["mvn", "-q", "-B", "-f", str(_HERE / "pom.xml"), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={partial}"]
    outcome = subprocess.run(command, check=False, capture_output=True, text=True)
    if outcome.returncode != 0:
        shutil.rmtree(partial)
        _unavailable(f"Maven could not fetch Apache Kafka: {outcome.stdout.strip()[-500:]}")
    try:
        partial.rename(jars)
    except OSError:  # another test process was quicker
        shutil.rmtree(partial)


def _require_java() -> None:
    if shutil.which("java") is None:
        _unavailable("Java is not installed (17 or newer is needed)")
    text = subprocess.run(["java", "-version"], check=False, capture_output=True, text=True).stderr
    found = re.search(r'version "(\d+)', text)
    if found is None or int(found[1]) < 17:
        _unavailable(f"Java 17 or newer is needed; this is {text.splitlines()[0] if text else 'unknown'}")


def _unavailable(reason: str) -> None:
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"Apache Kafka must be tested in CI: {reason}")
    pytest.skip(f"Apache Kafka is not available: {reason}")


class ApacheBroker:
    """One Kafka node on free ports of 127.0.0.1, everything it owns in one directory."""

    def __init__(self, *, directory: Path) -> None:
        self._jars = kafka_jars()
        self._directory = directory
        self._port, self._controller_port = free_port(), free_port()
        self.log = directory / "kafka.log"
        self.cluster_id = ""
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    def start(self, *, timeout_s: float = 90.0) -> None:
        """Format an empty log directory under a new cluster id, start, and wait until it answers."""
        self.cluster_id = base64.urlsafe_b64encode(b"\x00" + uuid4().bytes[1:]).decode().rstrip("=")
        settings = self._written_settings()
        formatting = self._java("kafka.tools.StorageTool", "format", "-t", self.cluster_id, "-c", str(settings))
        if formatting.wait() != 0:
            raise ServiceFailed(f"Kafka's log directory was not formatted:\n{log_tail(self.log)}")
        self._start(settings, timeout_s=timeout_s)

    def restart(self) -> None:
        """Kill the broker and start it on the log that it left."""
        self.kill()
        self._start(self._directory / "server.properties", timeout_s=90.0)

    def _start(self, settings: Path, *, timeout_s: float) -> None:
        self.process = self._java("kafka.Kafka", str(settings))
        if not answers(self.process, bootstrap=self.bootstrap, cluster_id=self.cluster_id, timeout_s=timeout_s):
            self.kill()
            raise ServiceFailed(f"Apache Kafka did not start:\n{log_tail(self.log)}")

    def stop(self) -> None:
        # It has nothing to keep, and its orderly shutdown takes seconds when consumers are gone: little patience.
        if self.process is not None:
            stop_child(self.process, patience_s=3)
            self.process = None

    def kill(self) -> None:
        if self.process is not None:
            kill_child(self.process)
            self.process = None

    def restart_empty(self) -> None:
        self.kill()
        self.start()

    def _written_settings(self) -> Path:
        logs = self._directory / "logs"
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir(parents=True)
        path = self._directory / "server.properties"
        path.write_text(
            f"{(_HERE / 'server.properties').read_text()}\n"
            f"listeners=PLAINTEXT://{self.bootstrap},CONTROLLER://{LOOPBACK}:{self._controller_port}\n"
            f"advertised.listeners=PLAINTEXT://{self.bootstrap}\n"
            f"controller.quorum.voters=1@{LOOPBACK}:{self._controller_port}\n"
            f"log.dirs={logs}\n"
        )
        return path

    def _java(self, *arguments: str) -> subprocess.Popen[bytes]:
        options = [f"-Dlog4j2.configurationFile={_HERE / 'log4j2.properties'}", f"-Djava.io.tmpdir={self._directory}"]
        environment = {**os.environ, "CLASSPATH": f"{self._jars}/*"}
        return start_child([*_JVM, *options, *arguments], log=self.log, environment=environment)
