import os
import subprocess
import sys
from pathlib import Path

from console.cli import make_app
from console.embedded.ports import free_port


def _run(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WATTLEDGER_")}
    command = [sys.executable, "-m", "console", *arguments]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, env=inherited | environ, cwd=Path.cwd()
    )


def test_help_names_the_commands_and_loads_nothing_heavy() -> None:
    outcome = _run("--help")
    assert outcome.returncode == 0
    for command in ("up", "price", "project", "control", "serve", "migrate", "topics", "keys"):
        assert f" {command} " in outcome.stdout
    make_app()
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys; from console.cli import make_app; make_app(); print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert not {"faust", "psycopg", "eventsourcing", "aiokafka", "pymodbus", "cryptography"} & set(loaded)


def test_missing_settings_are_one_message_without_a_traceback() -> None:
    outcome = _run("serve")
    assert outcome.returncode == 2
    assert "WATTLEDGER_DATABASE_URL is not set" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_an_unreachable_database_is_one_message_without_a_traceback() -> None:
    outcome = _run("migrate", WATTLEDGER_DATABASE_URL=f"postgresql://postgres@127.0.0.1:{free_port()}/none")
    assert outcome.returncode == 2
    assert "the database cannot be migrated" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_an_unreachable_broker_is_one_message_without_a_traceback() -> None:
    outcome = _run("topics", WATTLEDGER_KAFKA_BOOTSTRAP=f"127.0.0.1:{free_port()}")
    assert outcome.returncode == 2
    assert "the topics cannot be created" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_new_keys_belong_together() -> None:
    from ledger.values.signing import OrderSigner

    settings = dict(line.split("=") for line in _run("keys", "new").stdout.splitlines())
    signer = OrderSigner(settings["WATTLEDGER_SIGNING_KEY"])
    assert signer.public_key_hex == settings["WATTLEDGER_ORDER_PUBLIC_KEY"]


def test_a_role_that_is_not_there_is_not_well() -> None:
    assert _run("health", "--port", str(free_port())).returncode == 1
