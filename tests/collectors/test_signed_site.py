"""A site file that the office signed: what protects a supply is not taken off at the edge unseen."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from collectors.errors import BadFile
from collectors.process import Process
from collectors.signed_site import read_signed_site, signature_file
from console.commands import setting_up
from ledger.values.signing import OrderSigner, OrderVerifier, new_signing_key_hex
from tests.collectors.builders import free_port, settings_for, site_text

KEY = new_signing_key_hex()
PUBLIC_KEY = OrderSigner(KEY).public_key_hex
VERIFIER = OrderVerifier(PUBLIC_KEY)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(site_text(ports=[free_port()]).rstrip() + "\nprotected = true\n")
    return path


def _sign(site: Path, key: str = KEY) -> str:
    app = typer.Typer()
    setting_up.register(app)
    outcome = CliRunner().invoke(app, ["keys", "sign-site", str(site)], env={"WATTLEDGER_SIGNING_KEY": key})
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def _told(site: Path, *, must_be_signed: bool = False) -> str:
    with pytest.raises(BadFile) as refused:
        read_signed_site(site, verifier=VERIFIER, must_be_signed=must_be_signed)
    return str(refused.value)


def test_a_signed_site_is_read_and_one_unsigned_where_it_need_not_be(site: Path) -> None:
    assert read_signed_site(site, verifier=VERIFIER, must_be_signed=False).collector == "edge-1"
    assert "1 meters, 1 of them protected" in _sign(site)
    read = read_signed_site(site, verifier=VERIFIER, must_be_signed=True)
    assert read.concentrators[0].meters[0].protected


def test_protection_taken_off_at_the_edge_is_refused_with_the_remedy(site: Path) -> None:
    _sign(site)
    site.write_text(site.read_text().replace("protected = true", "protected = false"))
    told = _told(site)
    assert "site.toml.sig is not its signature" in told
    assert "wattledger keys sign-site" in told


def test_a_missing_signature_is_refused_where_one_must_be(site: Path) -> None:
    assert "site.toml.sig is missing" in _told(site, must_be_signed=True)


@pytest.mark.parametrize("signature", ["", "no hex", "00" * 64])
def test_what_is_no_signature_is_refused(site: Path, signature: str) -> None:
    signature_file(site).write_text(signature)
    assert "is not its signature" in _told(site)


def test_another_key_is_refused(site: Path) -> None:
    _sign(site, new_signing_key_hex())
    assert "is not its signature" in _told(site)


def test_a_running_collector_does_not_take_over_what_is_not_signed(site: Path) -> None:
    async def scene() -> None:
        _sign(site)
        settings = replace(settings_for("127.0.0.1:1", site_file=site), order_public_key=PUBLIC_KEY)
        process = Process(settings)
        site.write_text(site.read_text().replace("protected = true", "protected = false"))
        process.reload()
        while process.metrics.registry.get_sample_value(_RELOADS, {"outcome": "refused"}) is None:
            await asyncio.sleep(0.01)
        process.close()

    asyncio.run(scene())


_RELOADS = "wattledger_site_reloads_total"
