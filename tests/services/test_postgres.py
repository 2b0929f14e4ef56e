import threading
import time
from pathlib import Path

import psycopg
import pytest

from console.embedded.ports import free_port
from console.embedded.postgres import EmbeddedPostgres
from console.errors import ServiceFailed
from tests.services.postgres import Database, resume, stall
from tests.services.processes import ends, family, killed_parent_of


def _answer(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row and row[0]


def test_postgresql_18_answers_and_commits_synchronously(postgres_server: EmbeddedPostgres) -> None:
    assert str(_answer(postgres_server.url(), "SHOW server_version")).startswith("18.")
    assert _answer(postgres_server.url(), "SHOW synchronous_commit") == "on"


def test_text_sorts_by_code_point_on_every_machine(postgres_server: EmbeddedPostgres) -> None:
    assert _answer(postgres_server.url(), "SELECT 'Z' < 'a' AND 'z' < 'é'") is True


def test_it_is_durable_unless_told_otherwise_and_keeps_its_data(service_directory: Path) -> None:
    directory = service_directory / "kept"
    with EmbeddedPostgres(directory=directory) as server:
        assert _answer(server.url(), "SHOW fsync") == "on"
        server.ensure_database("kept")
        server.ensure_database("kept")
    with EmbeddedPostgres(directory=directory) as server:
        assert _answer(server.url(database="kept"), "SELECT current_database()") == "kept"


def test_a_path_too_long_for_a_socket_gets_a_short_one_elsewhere(service_directory: Path) -> None:
    with EmbeddedPostgres(directory=service_directory / ("long" * 30), is_durable=False) as server:
        assert _answer(server.url(), "SELECT 1") == 1
        socket_directory = server.socket_directory
    assert not socket_directory.exists()


def test_over_tcp_a_role_needs_a_password(service_directory: Path) -> None:
    port = free_port()
    with EmbeddedPostgres(directory=service_directory / "tcp", port=port, is_durable=False) as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE ROLE reader LOGIN PASSWORD 'let-me-in'")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://reader@127.0.0.1:{port}/postgres")
        assert _answer(f"postgresql://reader:let-me-in@127.0.0.1:{port}/postgres", "SELECT 1") == 1


def test_stopping_leaves_no_process(service_directory: Path) -> None:
    server = EmbeddedPostgres(directory=service_directory / "stopped", is_durable=False)
    server.start()
    assert server.process is not None
    pids = family(server.process.pid)
    server.stop()
    assert ends(pids)


def test_a_second_server_on_the_same_directory_is_refused(postgres_server: EmbeddedPostgres) -> None:
    with pytest.raises(ServiceFailed, match="already"):
        EmbeddedPostgres(directory=postgres_server.directory).start()
    assert _answer(postgres_server.url(), "SELECT 1") == 1


def test_kill_9_of_the_parent_leaves_no_process(service_directory: Path) -> None:
    pids = killed_parent_of(
        f"""if True:
        import time
        from pathlib import Path
        from console.embedded.postgres import EmbeddedPostgres
        server = EmbeddedPostgres(directory=Path({str(service_directory / "orphan")!r}), is_durable=False)
        server.start()
        print("up", flush=True)
        time.sleep(60)
        """
    )
    assert len(pids) > 1
    assert ends(pids)


def test_a_killed_server_recovers_what_was_committed(service_directory: Path) -> None:
    server = EmbeddedPostgres(directory=service_directory / "killed", is_durable=False)
    server.start()
    server.ensure_database("committed")
    server.kill()
    with server:
        assert _answer(server.url(database="committed"), "SELECT 1") == 1


def test_a_stalled_server_answers_once_it_is_resumed(own_postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(own_postgres.url()) as connection:
        stall(own_postgres)
        threading.Timer(0.5, resume, [own_postgres]).start()
        started = time.monotonic()
        connection.execute("SELECT 1")
    assert time.monotonic() - started > 0.4


def test_every_test_has_a_database_of_its_own(database: Database) -> None:
    assert _answer(database.url(), "SELECT current_database()") == database.name
    assert database.name != _answer(database.server.url(), "SELECT current_database()")
