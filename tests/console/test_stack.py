import json
import os
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from console.cluster import cluster_id_at
from console.errors import ConsoleError
from console.roles import PRICE
from console.settings import StackSettings, inheritable
from console.stack import Stack
from console.topics import TopicLayout, create_topics
from ledger.values.errors import InvalidValue
from ledger.values.signing import OrderSigner, new_signing_key_hex
from tests.services.broker import KafkaBroker
from tests.services.postgres import Database


@pytest.fixture(scope="module")
def stack(service_directory: Path) -> Iterator[Stack]:
    settings = StackSettings(directory=service_directory / "stack", inherited=inheritable(os.environ))
    with Stack(settings=settings) as stack:
        stack.start_services()
        yield stack


def _fetched(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as response:
        text: str = response.read().decode()
    return text


def test_every_role_connects_as_itself(stack: Stack) -> None:
    for role in ("wattledger_writer", "wattledger_control", "wattledger_projector", "wattledger_finance"):
        with psycopg.connect(stack.database_url(role)) as connection:
            assert connection.execute("SELECT current_user, head FROM ledger.gate").fetchone() == (role, 0)


def test_serve_tells_health_and_metrics(stack: Stack) -> None:
    stack.start_role("serve")
    stack.start_role("serve", number=2)
    stack.await_healthy()
    assert stack.health_ports["serve-2"] != stack.health_ports["serve"]
    stack.stop_role("serve", number=2)
    port = stack.health_ports["serve"]
    assert json.loads(_fetched(port, "/health"))["status"] == "up"
    assert "wattledger_database_up 1.0" in _fetched(port, "/metrics")
    assert "wattledger_ledger_head_position 0.0" in _fetched(port, "/metrics")
    process = psutil.Process(stack.supervisor.pid_of("serve"))
    stack.stop_role("serve")
    assert not process.is_running()


def test_a_second_worker_has_a_name_of_its_own(tmp_path: Path) -> None:
    inherited = {"WATTLEDGER_KAFKA_INSTANCE": "house"}
    stack = Stack(settings=StackSettings(directory=tmp_path, database_url="postgresql:///x", inherited=inherited))
    names = [stack.environment_of(PRICE, port=1, number=number)["WATTLEDGER_KAFKA_INSTANCE"] for number in (1, 2)]
    assert names == ["house", "house-2"]


def test_a_role_is_given_no_secret_but_its_own(stack: Stack) -> None:
    from console.roles import ROLES

    environments = {name: stack.environment_of(role, port=1) for name, role in ROLES.items()}
    assert [name for name, own in environments.items() if "WATTLEDGER_SIGNING_KEY" in own] == ["control"]
    assert [name for name, own in environments.items() if "WATTLEDGER_SEALING_KEY" in own] == ["seal"]
    assert [name for name, own in environments.items() if "WATTLEDGER_ORDER_PUBLIC_KEY" in own] == ["collect"]
    assert [name for name, own in environments.items() if "WATTLEDGER_REFERENCE_KEY" in own] == ["serve", "payments"]
    assert not {"simulate", "collect"} & {
        name for name, own in environments.items() if "WATTLEDGER_DATABASE_URL" in own
    }
    assert "wattledger_projector@" in environments["project"]["WATTLEDGER_DATABASE_URL"]


def test_providers_secrets_are_for_who_hears_them_and_for_who_charges(tmp_path: Path) -> None:
    from console.roles import ROLES

    environ = {
        "WATTLEDGER_DIRECTORY": str(tmp_path),
        "WATTLEDGER_WEBHOOK_SECRETS_SHOP": "a-secret-of-the-shop",
        "WATTLEDGER_WEBHOOK_SECRETS_CARDS": "a-secret-of-the-cards",
        "WATTLEDGER_CHARGE_URL_CARDS": "https://cards.example/charges",
        "WATTLEDGER_STRIPE_WEBHOOK_SECRETS": "whsec_of_the_endpoint",
        "WATTLEDGER_STRIPE_API_KEY": "sk_of_the_house",
        "WATTLEDGER_REFERENCE_KEY": "5a" * 32,
    }
    stack = Stack(settings=StackSettings.from_environment(environ))
    given = {name: stack.environment_of(role, port=1) for name, role in ROLES.items()}
    found = {
        name: sorted(setting for setting in own if any(word in setting for word in ("WEBHOOK", "CHARGE", "STRIPE")))
        for name, own in given.items()
    }
    assert found.pop("serve") == [
        "WATTLEDGER_STRIPE_WEBHOOK_SECRETS",
        "WATTLEDGER_WEBHOOK_SECRETS_CARDS",
        "WATTLEDGER_WEBHOOK_SECRETS_SHOP",
    ]
    assert found.pop("payments") == [
        "WATTLEDGER_CHARGE_URL_CARDS",
        "WATTLEDGER_STRIPE_API_KEY",
        "WATTLEDGER_WEBHOOK_SECRETS_CARDS",
    ]
    assert not any(found.values())


def test_the_signing_key_is_kept_where_only_its_owner_reads_it(stack: Stack) -> None:
    path = stack.settings.directory / "signing-key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert OrderSigner(path.read_text().strip()).public_key_hex == stack.public_key_hex


def test_topics_are_created_once(stack: Stack) -> None:
    assert create_topics(bootstrap=stack.bootstrap, layout=stack.settings.topics) == []


def test_the_embedded_broker_comes_back_empty_with_its_topics_as_another_cluster(stack: Stack) -> None:
    bootstrap, cluster_id = stack.bootstrap, stack.cluster_id
    stack.restart_broker_empty()
    stack.supervisor.check()
    assert stack.bootstrap == bootstrap
    assert stack.cluster_id == cluster_id_at(bootstrap) != cluster_id
    assert create_topics(bootstrap=bootstrap, layout=stack.settings.topics) == []


@pytest.mark.kafka
def test_a_topic_with_another_number_of_partitions_is_refused(own_broker: KafkaBroker) -> None:
    layout = TopicLayout(partitions=3)
    assert len(create_topics(bootstrap=own_broker.bootstrap, layout=layout)) == 5
    assert create_topics(bootstrap=own_broker.bootstrap, layout=layout) == []
    with pytest.raises(ConsoleError, match="has 3 partitions where 4 are wanted"):
        create_topics(bootstrap=own_broker.bootstrap, layout=TopicLayout(partitions=4))


@pytest.mark.kafka
def test_topics_are_created_again_after_a_broker_started_empty(own_broker: KafkaBroker) -> None:
    create_topics(bootstrap=own_broker.bootstrap, layout=TopicLayout(partitions=4))
    own_broker.restart_empty()
    assert len(create_topics(bootstrap=own_broker.bootstrap, layout=TopicLayout(partitions=4))) == 5


@pytest.mark.kafka
def test_outside_services_are_used_and_not_started(
    own_broker: KafkaBroker, empty_database: Database, tmp_path: Path
) -> None:
    environ = {
        "WATTLEDGER_DIRECTORY": str(tmp_path),
        "WATTLEDGER_DATABASE_URL": empty_database.url(),
        "WATTLEDGER_FINANCE_PASSWORD": "it's @ secret/",
        "WATTLEDGER_KAFKA_BOOTSTRAP": own_broker.bootstrap,
        "WATTLEDGER_PARTITIONS": "2",
        **os.environ,
    }
    with Stack(settings=StackSettings.from_environment(environ)) as stack:
        stack.start_services()
        assert stack.supervisor.names == []
        assert stack.cluster_id == own_broker.cluster_id
        with psycopg.connect(stack.database_url("wattledger_finance")) as connection:
            assert connection.execute("SELECT head FROM ledger.gate").fetchone() == (0,)


def test_a_stop_before_anything_runs_starts_nothing(tmp_path: Path) -> None:
    from console.supervisor import StopRequested

    stop_requested = threading.Event()
    stop_requested.set()
    settings = StackSettings(directory=tmp_path, database_url="postgresql://nobody@/none", bootstrap="127.0.0.1:1")
    with Stack(settings=settings, stop_requested=stop_requested) as stack, pytest.raises(StopRequested):
        stack.start_services()


def test_wrong_settings_are_reported_together() -> None:
    environ = {"WATTLEDGER_BROKER_PORT": "kafka", "WATTLEDGER_PARTITIONS": "0"}
    with pytest.raises(InvalidValue, match=r"(?s)WATTLEDGER_BROKER_PORT.*WATTLEDGER_PARTITIONS"):
        StackSettings.from_environment(environ)


def test_secrets_never_show() -> None:
    key = new_signing_key_hex()
    environ = {
        "WATTLEDGER_SIGNING_KEY": key,
        "WATTLEDGER_DATABASE_URL": "postgresql://owner:hush@db/wattledger",
        "WATTLEDGER_WRITER_PASSWORD": "hush",
        "WATTLEDGER_WEBHOOK_SECRETS_SHOP": "hush, hush, hush, hush",
        "WATTLEDGER_REFERENCE_KEY": key,
    }
    settings = StackSettings.from_environment(environ)
    assert key not in repr(settings)
    assert "hush" not in repr(settings)
    assert inheritable(environ | {"WATTLEDGER_ACK_TIMEOUT": "3"}) == {"WATTLEDGER_ACK_TIMEOUT": "3"}
