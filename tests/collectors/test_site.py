import json
from pathlib import Path

import pytest

from collectors.errors import BadFile
from collectors.settings import read_settings
from collectors.site import read_site
from ledger.usecases.codes import checked_code
from ledger.values.errors import InvalidValue
from tests.collectors.builders import SIGNER, a_site, serial_of, site_text


def test_a_site_names_its_concentrators_and_their_meters(tmp_path: Path) -> None:
    site = a_site(tmp_path, ports=[5021, 5022], meters_each=2)
    assert [(c.id, c.line.place, [m.unit for m in c.meters]) for c in site.concentrators] == [
        ("C1", "127.0.0.1:5021", [1, 2]),
        ("C2", "127.0.0.1:5022", [1, 2]),
    ]
    assert site.concentrators[1].meters[0].supply == "S3"
    assert site.spool == tmp_path / "spool.sqlite"


def test_all_errors_of_a_site_are_reported_at_once_with_place_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    text = site_text(ports=[5021, 5021], meters_each=2)
    text = text.replace("poll_interval_s = 0.2", "poll_interval_s = 0").replace('supply = "S2"', 'supply = "S1"')
    text = text.replace("unit = 2", "unit = 1", 1).replace('host = "127.0.0.1"', 'hots = "x"', 1)
    path.write_text(text + '\nprofile = "acrel"')
    with pytest.raises(BadFile) as refused:
        read_site(path)
    told = str(refused.value)
    assert str(path) in told
    for error in (
        "collector.poll_interval_s: 0 is wrong; use seconds from 0.1 to 86400",
        "concentrators[1].host: is missing; give its host name or address",
        "concentrators[1].hots: is not known here",
        "concentrators[1].meters[2].unit: unit '1' is there twice",
        "concentrators[1].meters[2].supply: supply 'S1' is there twice",
        "concentrators[2].meters[2].profile: 'acrel' is wrong; use one of abb_b23, ",
    ):
        assert error in told
    assert len(refused.value.errors) == 6


def test_two_concentrators_at_one_address_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"address '127\.0\.0\.1:5021' is there twice"):
        a_site(tmp_path, ports=[5021, 5021])


@pytest.mark.parametrize("code", ["", "S" * 65, "-S1", "S 1", "S1\n", "S\0", "Straße", "٣", "a,b"])
@pytest.mark.parametrize(
    ("key", "place"),
    [
        ('id = "edge-1"', "collector.id"),
        ('id = "C1"', "concentrators[1].id"),
        (f'serial = "{serial_of(1)}"', "concentrators[1].meters[1].serial"),
        ('supply = "S1"', "concentrators[1].meters[1].supply"),
    ],
)
def test_what_the_ledger_would_not_take_for_a_code_is_refused_before_it_is_published(
    tmp_path: Path, key: str, place: str, code: str
) -> None:
    with pytest.raises(InvalidValue):
        checked_code(code, what="code")
    path = tmp_path / "site.toml"
    path.write_text(site_text(ports=[5021]).replace(key, f"{key.split(' = ')[0]} = {json.dumps(code)}"))
    with pytest.raises(BadFile) as refused:
        read_site(path)
    (error,) = refused.value.errors
    assert error.startswith(f"{place}: {code!r} is wrong; ")
    assert error.endswith("in 1 to 64 letters, digits or . _ : / - (begin with a letter or digit)")


@pytest.mark.parametrize("code", ["S", "S" * 64, "9.a_b:c/d-e", "400000000001"])
def test_every_code_that_the_ledger_takes_may_stand_in_a_site_file(tmp_path: Path, code: str) -> None:
    path = tmp_path / "site.toml"
    path.write_text(site_text(ports=[5021]).replace('supply = "S1"', f'supply = "{code}"'))
    assert read_site(path).concentrators[0].meters[0].supply == checked_code(code, what="code")


def test_a_file_that_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text("[collector]\nid = edge-1")
    with pytest.raises(BadFile, match=r"not TOML.*line 2"):
        read_site(path)


def test_a_missing_site_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"nowhere\.toml is refused"):
        read_site(tmp_path / "nowhere.toml")


def test_all_missing_settings_are_reported_at_once() -> None:
    with pytest.raises(InvalidValue) as refused:
        read_settings({"WATTLEDGER_KAFKA_IDEMPOTENCE": "perhaps"})
    for name in ("KAFKA_BOOTSTRAP", "KAFKA_IDEMPOTENCE", "SITE_FILE", "ORDER_PUBLIC_KEY"):
        assert f"WATTLEDGER_{name}" in str(refused.value)


def test_settings_are_quiet_and_local_unless_said_otherwise() -> None:
    settings = read_settings(
        {
            "WATTLEDGER_KAFKA_BOOTSTRAP": "localhost:9092",
            "WATTLEDGER_SITE_FILE": "site.toml",
            "WATTLEDGER_ORDER_PUBLIC_KEY": SIGNER.public_key_hex,
        }
    )
    assert (settings.metrics_host, settings.metrics_port, settings.spool) == ("127.0.0.1", 0, None)
    assert settings.kafka.idempotence is False
