import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg import Connection

from console.embedded.ports import free_port
from ledger.store.log import await_news, head_of
from ledger.values.errors import InvalidValue
from ledger.values.signing import OrderSigner
from projections.catalogue import MODELS
from projections.control import Control
from projections.control import work_of as control_work
from projections.errors import DatabaseFailed, PortTaken
from projections.metrics import RunnerMetrics, served
from projections.order import OrderBook
from projections.process import Work, keep_working
from projections.project import CHANNEL, tracked
from projections.rebuild import rebuild
from projections.runner import Runner
from projections.runner import main as run
from projections.runner import work_of as runner_work
from projections.settings import read_control_settings
from tests.projections.builders import (
    START,
    Story,
    a_busy_month,
    rules_set,
    settings_changed,
    topped_up,
    usage_debited,
)
from tests.projections.conftest import Project
from tests.projections.estate import SIGNING_KEY, Estate
from tests.services.postgres import Database

PROCESS = "import os, sys; from projections.{module} import main; sys.exit(main(os.environ))"


def eventually(condition: Callable[[], bool], *, timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


@contextmanager
def process(module: str, url: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    environ = {**os.environ, "WATTLEDGER_DATABASE_URL": url, **settings}
    started = subprocess.Popen([sys.executable, "-c", PROCESS.format(module=module)], env=environ)
    try:
        yield started
    finally:
        started.kill()
        started.wait(10)


@contextmanager
def working(work: Work, url: str) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=keep_working, args=(work,), kwargs={"url": url, "stop": stop}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def backends(connection: Connection[Any], name: str) -> int:
    row = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()", [name]
    ).fetchone()
    return int(row[0]) if row else 0


def equals_a_rebuild(url: str) -> bool:
    return all(rebuild(url, model.name).is_equal for model in MODELS)


@pytest.fixture
def owner(database: Database) -> Iterator[Connection[Any]]:
    with psycopg.connect(database.url(), autocommit=True) as connection:
        yield connection


def test_a_runner_killed_again_and_again_neither_skips_nor_doubles(
    database: Database, story: Story, owner: Connection[Any]
) -> None:
    url = database.url("wattledger_projector")
    story.tell_each(a_busy_month())
    written, enough = [0], threading.Event()

    def write() -> None:
        while not enough.is_set():
            story.tell(*(topped_up(account="household-0", amount_micros=1) for _ in range(5)))
            written[0] += 5

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    for _ in range(3):
        with process("runner", url) as runner:
            lived_from = tracked(owner).get("balances", 0)
            eventually(lambda: tracked(owner).get("balances", 0) > lived_from + 20)  # noqa: B023 - used up at once
            runner.send_signal(signal.SIGKILL)
            runner.wait(10)
    enough.set()
    writer.join(10)
    head, _ = head_of(owner)
    with process("runner", url) as runner:
        eventually(lambda: set(tracked(owner).values()) == {head})
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(10) == 0
    assert equals_a_rebuild(url)
    row = owner.execute("SELECT top_ups FROM projections.balances WHERE account = 'household-0'").fetchone()
    assert row == (6 + written[0],)


def test_a_runner_whose_connections_are_cut_comes_back_and_goes_on(
    database: Database, story: Story, owner: Connection[Any]
) -> None:
    url = database.url("wattledger_projector")
    with working(runner_work(Runner(limit=7)), url):
        for _ in range(3):
            story.tell(*(topped_up(account="anna", amount_micros=1) for _ in range(50)))
            eventually(lambda: backends(owner, "wattledger project") == 1)
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'wattledger project%' AND datname = current_database()"
            )
        eventually(lambda: tracked(owner).get("balances") == 150)
    assert equals_a_rebuild(url)
    (row,) = owner.execute("SELECT top_ups, balance::text FROM projections.balances").fetchall()
    assert row == (150, "0.000150")


def test_a_second_runner_stands_by_and_takes_over(database: Database, story: Story, owner: Connection[Any]) -> None:
    url = database.url("wattledger_projector")
    first, second = Runner(), Runner()

    def is_active(runner: Runner) -> bool:
        return runner.metrics.registry.get_sample_value("wattledger_projection_is_active") == 1

    with working(runner_work(first), url):
        eventually(lambda: is_active(first))
        with working(runner_work(second), url):
            head = story.tell(*(topped_up(account="anna", amount_micros=1) for _ in range(9)))
            eventually(lambda: tracked(owner).get("balances") == head)
            eventually(lambda: backends(owner, "wattledger project") == 2)
            assert not is_active(second)
            owner.execute(
                "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a JOIN pg_locks AS l USING (pid)"
                " WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()"
            )
            eventually(lambda: is_active(first) != is_active(second))
            head = story.tell(topped_up(account="anna", amount_micros=1))
            eventually(lambda: tracked(owner).get("balances") == head)
            assert is_active(first) != is_active(second)
    assert not is_active(first)


def test_a_runner_that_falls_silent_loses_its_office_and_stands_by_when_it_wakes(
    database: Database, story: Story, owner: Connection[Any]
) -> None:
    asleep, wake = threading.Event(), threading.Event()
    sleeper, sound = Runner(), Runner()

    def turn(connection: Connection[Any]) -> bool:
        if not wake.is_set():
            asleep.set()
            wake.wait(30)
        return sleeper.turn(connection)

    work = replace(runner_work(sleeper), turn=turn, silence_s=1)
    url = database.url("wattledger_projector")
    try:
        with working(work, url):
            assert asleep.wait(10)
            with working(runner_work(sound), url):
                head = story.tell(topped_up(account="anna", amount_micros=1))
                eventually(lambda: tracked(owner).get("balances") == head)
                wake.set()
                eventually(lambda: backends(owner, "wattledger project") == 2)
                assert sound.metrics.registry.get_sample_value("wattledger_projection_is_active") == 1
                assert sleeper.metrics.registry.get_sample_value("wattledger_projection_is_active") == 0
    finally:
        wake.set()
    assert equals_a_rebuild(url)


def test_a_second_control_stands_by_and_each_decision_is_taken_once(
    database: Database, story: Story, owner: Connection[Any], estate: Estate
) -> None:
    orders = OrderBook(OrderSigner(SIGNING_KEY), timedelta(seconds=120))
    first, second = Control(orders), Control(orders)
    story.tell(settings_changed(), rules_set())
    story.move_in("flat-1", "anna", credit_micros=9_000_000)

    def is_leader(control: Control) -> bool:
        return control.metrics.registry.get_sample_value("wattledger_control_is_leader") == 1

    with (
        working(runner_work(Runner()), database.url("wattledger_projector")),
        working(control_work(first), database.url("wattledger_control")),
    ):
        eventually(lambda: is_leader(first))
        with working(control_work(second), database.url("wattledger_control")):
            eventually(lambda: backends(owner, "wattledger control") == 2)
            assert not is_leader(second)
            story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=9_000_000))
            eventually(lambda: len(estate.history("flat-1")) > 0)
            owner.execute(
                "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a"
                " JOIN pg_locks AS l USING (pid)"
                " WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = 'wattledger control'"
                " AND a.datname = current_database()"
            )
            story.tell(topped_up(account="anna", amount_micros=9_000_000))
            eventually(lambda: estate.relay("flat-1").desired == "closed")
            eventually(lambda: is_leader(first) != is_leader(second))
    assert estate.kinds("flat-1") == [
        "low-balance-warned",
        "lock-set credit",
        "order-issued open",
        "warning-cleared",
        "lock-cleared credit",
        "order-issued close",
    ]


def test_each_batch_wakes_whoever_waits_for_the_projections(
    database: Database, story: Story, project: Project
) -> None:
    with psycopg.connect(database.url("wattledger_control"), autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        project()
        assert not await_news(listener, timeout_s=0.1)
        story.tell(topped_up(account="anna", amount_micros=1))
        project()
        assert await_news(listener, timeout_s=5)


def test_a_runner_is_woken_by_an_append_long_before_it_would_look_by_itself(
    database: Database, story: Story, owner: Connection[Any]
) -> None:
    patient = replace(runner_work(Runner()), idle_s=30, silence_s=60)
    began = time.monotonic()
    stop = threading.Event()
    thread = threading.Thread(
        target=keep_working,
        args=(patient,),
        kwargs={"url": database.url("wattledger_projector"), "stop": stop},
        daemon=True,
    )
    thread.start()
    eventually(lambda: len(tracked(owner)) == len(MODELS))
    time.sleep(0.3)
    head = story.tell(topped_up(account="anna", amount_micros=1))
    eventually(lambda: tracked(owner)["balances"] == head)
    assert time.monotonic() - began < 20
    stop.set()
    story.tell(topped_up(account="anna", amount_micros=1))
    thread.join(10)
    assert not thread.is_alive()


def test_latencies_lag_and_batches_are_measured(story: Story, projector: Connection[Any]) -> None:
    story.tell_each(a_busy_month(households=1)[:6])
    story.tell(usage_debited(supply="flat-0", account="household-0", amount_micros=1))
    runner = Runner(now=lambda: START + timedelta(seconds=3), limit=4)

    def sample(metric: str, **labels: str) -> float | None:
        return runner.metrics.registry.get_sample_value(f"wattledger_{metric}", labels)

    assert runner.turn(projector)
    assert (sample("events_projected_total"), sample("projection_lag_events", name="relay")) == (4, 3)
    assert runner.turn(projector)
    assert not runner.turn(projector)
    assert (sample("events_projected_total"), sample("projection_lag_events", name="balances")) == (7, 0)
    assert (sample("projection_batch_size_count"), sample("projection_batch_size_sum")) == (2, 7)
    assert sample("reading_to_balance_seconds_sum") == 3


def test_a_process_serves_its_metrics_and_its_health_and_stops_when_told(database: Database, story: Story) -> None:
    head = story.tell(topped_up(account="anna", amount_micros=1))
    port = free_port()

    def page(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as response:
            assert response.status == 200
            return str(response.read().decode())

    def is_projected() -> bool:
        try:
            families = text_string_to_metric_families(page("metrics"))
        except OSError:
            return False
        names = {sample.name: sample.value for family in families for sample in family.samples}
        return names.get("wattledger_events_projected_total") == head

    with process("runner", database.url("wattledger_projector"), WATTLEDGER_METRICS_PORT=str(port)) as runner:
        eventually(is_projected)
        assert '"status": "up"' in page("health")
        began = time.monotonic()
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(10) == 0
        assert time.monotonic() - began < 5


def test_a_database_without_its_schema_is_told_with_the_remedy(empty_database: Database) -> None:
    with pytest.raises(DatabaseFailed, match="wattledger migrate"):
        run({"WATTLEDGER_DATABASE_URL": empty_database.url()})


def test_a_role_without_the_right_is_told_with_the_remedy(database: Database, story: Story) -> None:
    story.tell(topped_up(account="anna", amount_micros=1))
    with pytest.raises(DatabaseFailed, match="WATTLEDGER_DATABASE_URL"):
        run({"WATTLEDGER_DATABASE_URL": database.url("wattledger_finance")})


def test_a_port_in_use_is_named() -> None:
    port = free_port()
    registry = RunnerMetrics().registry
    with (
        served(registry, host="127.0.0.1", port=port, process="project"),
        pytest.raises(PortTaken, match=f"127.0.0.1:{port}.*WATTLEDGER_METRICS_PORT"),
        served(registry, host="127.0.0.1", port=port, process="project"),
    ):
        pass


def test_wrong_settings_are_all_named_together() -> None:
    with pytest.raises(InvalidValue, match=r"(?s)WATTLEDGER_METRICS_PORT.*"):
        run({"WATTLEDGER_DATABASE_URL": "postgresql:///x", "WATTLEDGER_METRICS_PORT": "http"})
    with pytest.raises(
        InvalidValue, match=r"(?s)ORDER_LIFETIME_S=0.*DATABASE_URL is not set.*SIGNING_KEY is not set"
    ):
        read_control_settings({"WATTLEDGER_ORDER_LIFETIME_S": "0"})


def test_settings_never_show_a_secret() -> None:
    settings = read_control_settings(
        {"WATTLEDGER_DATABASE_URL": "postgresql://u:pass@h/d", "WATTLEDGER_SIGNING_KEY": SIGNING_KEY}
    )
    assert settings.order_lifetime == timedelta(seconds=120)
    assert SIGNING_KEY not in repr(settings)
    assert "pass" not in repr(settings)
