"""An estate of thousands of rooms from one file: all of it or nothing, and twice the same."""

import csv
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from collectors.site import read_site
from console.estate.command import import_estate
from console.estate.csv_file import EstateRefused, read_estate
from console.estate.importing import plan
from console.estate.site_files import SiteFileStands
from ledger.domain.supply import Registers
from ledger.store.application import Ledger
from ledger.store.batched import BatchedLedger
from ledger.store.log import head_of
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import register_supply
from ledger.usecases.supply_life import supply_of
from ledger.usecases.tariffs import publish_tariff
from ledger.values.errors import LedgerError
from tests.estate import FLAT_TARIFF, LONG_AGO
from tests.services.postgres import Database
from tests.streams.books import check_ledger

_COLUMNS = ("supply", "site", "building", "room", "concentrator", "host", "serial", "unit", "account", "tariff")


def _rows(count: int, *, each: int = 100) -> list[dict[str, str]]:
    rows = []
    for number in range(count):
        bus, unit = divmod(number, each)
        values = (f"s{number}", "north", f"b{bus}", f"{unit}", f"c{bus}", f"10.0.0.{bus + 1}", f"{10**11 + number}")
        row = dict(zip(_COLUMNS, (*values, f"{unit + 1}", f"a{number}", "flat"), strict=True))
        rows.append(row | {"opening_kwh": f"{number}.25", "collector": f"edge-{bus // 25 + 1}"})
    return rows


def _write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def office(database: Database) -> dict[str, str]:
    """A ledger with a site and a tariff, as the command finds it."""
    url = database.url("wattledger_writer")
    ledger = Ledger(url=url)
    now = datetime.now(UTC)
    change_site_settings(ledger, site="north", reconnection="automatic", effective_from=LONG_AGO, now=now)
    publish_tariff(ledger, text=FLAT_TARIFF, effective_from=LONG_AGO - timedelta(days=1), note="test", now=now)
    ledger.close()
    return {"WATTLEDGER_DATABASE_URL": url}


def _import(office: dict[str, str], file: Path, **options: object) -> list[str]:
    chosen = {"dry_run": False, "sites": None, "replace": False} | options
    return list(import_estate(office, file=file, **chosen))  # type: ignore[arg-type]


def _head(office: dict[str, str]) -> int:
    with psycopg.connect(office["WATTLEDGER_DATABASE_URL"]) as connection:
        return head_of(connection)[0]


@pytest.mark.slow
def test_five_thousand_supplies_are_set_up_in_under_a_minute_and_a_second_time_changes_nothing(
    office: dict[str, str], tmp_path: Path
) -> None:
    file, sites = _write(tmp_path / "estate.csv", _rows(5_000)), tmp_path / "sites"
    before, began_s = _head(office), time.monotonic()
    told = _import(office, file, sites=sites)
    took_s = time.monotonic() - began_s
    assert told == [
        "5000 supply points set up, 0 stand already",
        *(f"wrote {sites}/edge-{n}.toml" for n in (1, 2)),
    ]
    assert _head(office) == before + 5 * 5_000
    assert took_s < 60
    site = read_site(sites / "edge-2.toml")
    assert (len(site.concentrators), sum(len(c.meters) for c in site.concentrators)) == (25, 2_500)
    began_s = time.monotonic()
    assert _import(office, file, sites=sites) == [
        "0 supply points set up, 5000 stand already",
        "the site files stand already",
    ]
    assert time.monotonic() - began_s < 60
    assert _head(office) == before + 5 * 5_000
    check_ledger(office["WATTLEDGER_DATABASE_URL"])


def test_a_dry_run_books_and_writes_nothing(office: dict[str, str], tmp_path: Path) -> None:
    file, before = _write(tmp_path / "estate.csv", _rows(3)), _head(office)
    told = _import(office, file, dry_run=True, sites=tmp_path / "sites")
    assert told == ["3 supply points to set up, 0 stand already", f"would write {tmp_path}/sites/edge-1.toml"]
    assert _head(office) == before
    assert not (tmp_path / "sites").exists()


def test_every_error_of_a_file_is_told_at_once_and_nothing_is_booked(office: dict[str, str], tmp_path: Path) -> None:
    rows = _rows(8)
    rows[1] |= {"unit": "0", "opening_kwh": "12,5"}
    rows[2] |= {"serial": rows[0]["serial"]}
    rows[3] |= {"host": "10.9.9.9"}
    rows[4] |= {"supply": "not a code"}
    rows[5] |= {"unit": rows[0]["unit"]}
    rows[6] |= {"collector": "edge-9"}
    with pytest.raises(EstateRefused) as refused:
        _import(office, _write(tmp_path / "estate.csv", rows))
    told = "\n".join(refused.value.errors)
    for part in (
        "line 3: unit '0'",
        "line 3: energy '12,5'",
        "line 4: serial '100000000000' stands in line 2 already",
        "line 5: concentrator 'c0' is of",
        "line 6: supply 'not a code'",
        "line 7: unit '1' stands in line 2 already",
        "line 8: concentrator 'c0' is of",
    ):
        assert part in told
    assert _head(office) == 2


def test_transformers_and_registers_by_period_come_with_the_estate(office: dict[str, str], tmp_path: Path) -> None:
    rows = _rows(2)
    rows[0] |= {"ct": "2.5", "opening_kwh_peak": "0.25", "opening_kwh_valley": ""}
    rows[1] |= {"ct": "40", "opening_kwh_peak": "", "opening_kwh_valley": ""}
    file, sites = _write(tmp_path / "estate.csv", rows), tmp_path / "sites"
    assert _import(office, file, sites=sites)[0] == "2 supply points set up, 0 stand already"
    assert _import(office, file, sites=sites)[0] == "0 supply points set up, 2 stand already"
    with Ledger(url=office["WATTLEDGER_DATABASE_URL"]) as ledger:
        meter = supply_of(ledger, "s0").meter
        assert meter is not None
        assert (meter.multiplier, meter.opening_registers) == ("2.5", Registers(periods={"peak": 250_000}))
        spell = supply_of(ledger, "s1").spells[0]
        assert (str(spell.multiplier), spell.opening_milliwh) == ("40", 40 * 1_250_000)
    meters = read_site(sites / "edge-1.toml").concentrators[0].meters
    assert [meter.time_of_use for meter in meters] == [True, False]


def test_transformers_and_periods_that_cannot_be_are_told(office: dict[str, str], tmp_path: Path) -> None:
    rows = _rows(3)
    rows[0] |= {"ct": "0", "opening_kwh_night": "", "opening_kwh_peak": ""}
    rows[1] |= {"ct": "1", "opening_kwh_night": "3", "opening_kwh_peak": ""}
    rows[2] |= {"ct": "1", "opening_kwh_night": "", "opening_kwh_peak": "2,5"}
    with pytest.raises(EstateRefused) as refused:
        _import(office, _write(tmp_path / "estate.csv", rows))
    told = refused.value.errors
    assert "line 2: multiplier 0 is not between 0 and 1000000; give the transformers' product" in told
    assert "line 3: profile 'acrel_ddsy1352' has no register for night; it has" in "\n".join(told)
    assert "line 4: energy '2,5'" in "\n".join(told)
    assert len(told) == 3


def test_every_row_that_the_ledger_refuses_is_named_and_none_is_booked(
    office: dict[str, str], tmp_path: Path
) -> None:
    rows = _rows(4)
    rows[1] |= {"tariff": "no-such"}
    rows[3] |= {"site": "nowhere"}
    with pytest.raises(EstateRefused) as refused:
        _import(office, _write(tmp_path / "estate.csv", rows))
    assert [error.split(":")[0] for error in refused.value.errors] == ["line 3", "line 5"]
    assert "there is no tariff 'no-such'" in refused.value.errors[0]
    assert "site 'nowhere' has no settings" in refused.value.errors[1]
    assert _head(office) == 2


def test_a_meter_that_another_supply_point_has_is_refused(office: dict[str, str], tmp_path: Path) -> None:
    _import(office, _write(tmp_path / "first.csv", _rows(2)))
    rows = _rows(2)
    rows[0] |= {"supply": "other", "account": "other"}
    with pytest.raises(EstateRefused, match="meter '100000000000' is installed already"):
        _import(office, _write(tmp_path / "second.csv", rows))


def test_an_estate_that_grew_is_completed(office: dict[str, str], tmp_path: Path) -> None:
    _import(office, _write(tmp_path / "first.csv", _rows(2)))
    before = _head(office)
    assert _import(office, _write(tmp_path / "second.csv", _rows(3))) == ["1 supply points set up, 2 stand already"]
    assert _head(office) == before + 5


def test_whoever_was_first_at_a_supply_point_wins_and_the_rest_is_booked_the_next_time(
    office: dict[str, str], tmp_path: Path
) -> None:
    file = _write(tmp_path / "estate.csv", _rows(2))
    now = datetime.now(UTC)
    batched = BatchedLedger(url=office["WATTLEDGER_DATABASE_URL"])
    plan(batched, file, read_estate(file), now=now, progress=lambda _: None)
    other = Ledger(url=office["WATTLEDGER_DATABASE_URL"])
    register_supply(other, supply="s1", site="north", concentrator="c0", now=now)
    before = _head(office)
    with pytest.raises(Exception, match="duplicate key"):
        list(batched.commit())
    assert _head(office) == before
    batched.close()
    other.close()
    assert _import(office, file) == ["2 supply points set up, 0 stand already"]


def test_a_use_case_that_fails_in_the_middle_leaves_nothing_to_be_booked(office: dict[str, str]) -> None:
    batched = BatchedLedger(url=office["WATTLEDGER_DATABASE_URL"])
    before = _head(office)

    def fail() -> None:
        with batched.together():
            register_supply(batched, supply="x", site="north", concentrator="c", now=datetime.now(UTC))
            register_supply(batched, supply="x", site="north", concentrator="c", now=datetime.now(UTC))

    with pytest.raises(LedgerError, match="registered already"):
        fail()
    assert list(batched.commit()) == []
    assert _head(office) == before
    batched.close()


def test_another_site_file_is_not_overwritten_unless_asked_and_nothing_is_booked(
    office: dict[str, str], tmp_path: Path
) -> None:
    file, before = _write(tmp_path / "estate.csv", _rows(1)), _head(office)
    (tmp_path / "edge-1.toml").write_text("# tended by hand\n")
    with pytest.raises(SiteFileStands, match=r"another edge-1\.toml; give --replace"):
        _import(office, file, sites=tmp_path)
    assert _head(office) == before
    _import(office, file, sites=tmp_path, replace=True)
    assert read_site(tmp_path / "edge-1.toml").concentrators[0].line.place.startswith("10.0.0.1:")
