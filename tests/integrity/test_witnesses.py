"""Every kind of witness keeps the same records in the same order, and says so when it cannot."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ledger.integrity.kept import seals_after
from ledger.integrity.seals import Seal
from ledger.integrity.verify import verify
from ledger.integrity.witness.file import FileWitness
from ledger.integrity.witness.kafka import KafkaWitness
from ledger.integrity.witness.opening import open_existing, open_witness
from ledger.integrity.witness.records import Witness, WitnessFailed, WitnessUnreadable
from ledger.values.errors import InvalidValue
from tests.integrity.estate import Vault
from tests.services.broker import KafkaBroker
from tests.services.postgres import Database


class _Archive(BaseHTTPRequestHandler):
    """What someone else would run: keeps lines in a list."""

    lines: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.lines.extend(body.splitlines(keepends=True))
        self.send_response(201)
        self.end_headers()

    def do_GET(self) -> None:
        lines = self.lines[-1:] if "newest=1" in self.path else self.lines
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"".join(lines))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


@pytest.fixture
def archive() -> Iterator[str]:
    handler = type("Archive", (_Archive,), {"lines": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/seals"
        server.shutdown()


def _is_kept(vault: Vault, database: Database, witness: Witness) -> None:
    """Seals go there, a new sealer finds them there, and an auditor compares with them."""
    assert witness.newest() is None
    assert list(witness.records()) == []
    vault.witness = witness
    vault.seal(2, 3, 1)
    seals: list[Seal] = list(seals_after(vault.connection, after=0))
    assert list(witness.records()) == seals
    assert witness.newest() == seals[-1]
    assert vault.sealer().acknowledged == 3
    vault.seal(4)
    verified = verify(database.url("wattledger_auditor"), witness=witness)
    assert (verified.findings.told, verified.seals, verified.unwitnessed_seals) == ([], 4, 0)


def test_a_file_is_a_witness(vault: Vault, database: Database, tmp_path: Path) -> None:
    _is_kept(vault, database, open_witness(str(tmp_path / "there" / "seals.jsonl")))


def test_an_http_endpoint_is_a_witness(vault: Vault, database: Database, archive: str) -> None:
    _is_kept(vault, database, open_witness(archive))


@pytest.mark.kafka
def test_a_kafka_topic_is_a_witness(vault: Vault, database: Database, own_broker: KafkaBroker) -> None:
    _is_kept(vault, database, open_witness(f"kafka://{own_broker.bootstrap}/ledger-seals"))


def test_a_witness_that_is_away_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for witness in (
        open_witness("http://127.0.0.1:1/seals"),
        KafkaWitness(bootstrap="127.0.0.1:1", topic="seals"),
        FileWitness(tmp_path / "file" / "seals.jsonl"),
    ):
        with pytest.raises(WitnessFailed):
            witness.newest()


def test_what_is_no_record_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "seals.jsonl"
    path.write_text("hello\n")
    with pytest.raises(WitnessUnreadable, match=r"the last line of .*seals.jsonl is no record.*'hello"):
        FileWitness(path).newest()
    with pytest.raises(WitnessUnreadable, match=r"line 1 of "):
        list(FileWitness(path).records())


@pytest.mark.parametrize(
    "setting", ["ftp://host/x", "kafka://host:9092", "kafka://host:9092/seals?copies=3", "https:///seals"]
)
def test_a_setting_that_names_no_witness_is_refused(setting: str) -> None:
    with pytest.raises(InvalidValue, match="names no witness"):
        open_witness(setting)


@pytest.mark.parametrize("setting", ["/var/seals.jsonl", "file:///var/seals.jsonl", "file:/var/seals.jsonl"])
def test_a_path_names_a_file(setting: str) -> None:
    witness = open_witness(setting)
    assert isinstance(witness, FileWitness)
    assert witness.path == Path("/var/seals.jsonl")


def test_an_auditors_witness_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="there is no witness at"):
        open_existing(str(tmp_path / "nowhere"))
