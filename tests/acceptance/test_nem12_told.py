"""What an import says it did is what the ledger did: billed, held and superseded are told apart."""

import re
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from ledger.usecases.tariffs import publish_tariff
from tests.acceptance.office import OWN_FILE, TARIFF, Office, add_supply

NMI = "OURNMI0001"
TO_ITS_SUPPLY = ("--map", f"{NMI}=supply-{NMI}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.csv"
    path.write_text(OWN_FILE)
    return path


def readings_taken_in(office: Office) -> int:
    with psycopg.connect(office.database.url()) as connection:
        row = connection.execute("SELECT count(*) FROM ledger.events WHERE topic LIKE 'meter.%'").fetchone()
    assert row is not None
    return int(row[0])


def follow(office: Office, told: str, file: Path) -> str:
    """Do what a refusal says: give the command that it names, then import with the mapping that it names."""
    command = re.search(r"`wattledger (supply add [^`]+)`", told)
    mapping = re.search(r"--map (\S+)", told)
    assert command is not None, told
    assert mapping is not None, told
    added = office.told(*command[1].split())
    assert added.code == 0, added.text
    return office.wattledger("import", "nem12", str(file), "--map", mapping[1])


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_a_file_that_begins_before_its_supply_can_be_billed_is_refused_and_the_remedy_works(
    office: Office, file: Path
) -> None:
    add_supply(office, NMI, since=datetime(2026, 1, 1, tzinfo=UTC))

    told = office.told("import", "nem12", str(file), *TO_ITS_SUPPLY)

    assert told.code == 2
    assert f"NMI {NMI} begins at 2025-12-30T14:00:00+00:00, before supply point 'supply-{NMI}'" in told.text
    assert "its first occupancy begins at 2026-01-01T00:00:00+00:00" in told.text
    assert "its first terms begin at 2026-01-01T00:00:00+00:00" in told.text
    assert readings_taken_in(office) == 0
    assert "billed 96 (168.000000 kWh), held 0" in follow(office, told.text, file)


@pytest.mark.kafka
def test_a_file_that_begins_before_its_supplys_price_is_refused(closed_office: Office, file: Path) -> None:
    late = datetime(2026, 1, 1, tzinfo=UTC)
    publish_tariff(
        closed_office.ledger,
        text=TARIFF.replace('"market"', '"late"'),
        effective_from=late,
        note="test",
        now=datetime.now(UTC),
    )
    add_supply(closed_office, NMI, tariff="late")

    told = closed_office.told("import", "nem12", str(file), *TO_ITS_SUPPLY)

    assert told.code == 2
    assert "the first version of its tariff 'late' begins at 2026-01-01T00:00:00+00:00; import" in told.text
    assert "tariff publish FILE --from 2025-12-30T14:00:00+00:00" in told.text
    assert "occupancy" not in told.text


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_a_supply_with_a_register_meter_is_refused_and_the_remedy_works(office: Office, file: Path) -> None:
    add_supply(office, NMI, profile="acrel_ddsy1352")

    told = office.told("import", "nem12", str(file), *TO_ITS_SUPPLY)

    assert told.code == 2
    assert f"supply point 'supply-{NMI}' has no interval meter" in told.text
    assert f"supply add supply-{NMI}-nem12 " in told.text
    assert readings_taken_in(office) == 0
    assert "billed 96 (168.000000 kWh), held 0" in follow(office, told.text, file)


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_held_intervals_are_told_with_their_reason_and_told_again(office: Office, file: Path) -> None:
    file.write_text(OWN_FILE.replace("1.5,1.5,", "9,1.5,", 1))
    add_supply(office, NMI, max_power_w=10_000)

    first = office.told("import", "nem12", str(file), *TO_ITS_SUPPLY)
    again = office.told("import", "nem12", str(file), *TO_ITS_SUPPLY)

    for told in (first, again):
        assert told.code == 1, told.text
        assert "96 intervals, 175.500000 kWh: billed 95 (166.250000 kWh), held 1 (leap 1), superseded 0" in told.text
        assert "held, not billed: 1 intervals; projections.held_readings" in told.text
    assert "nothing changed" not in first.text
    assert "was imported before: nothing changed" in again.text


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_what_another_file_has_billed_is_told_as_superseded(office: Office, file: Path) -> None:
    add_supply(office, NMI)
    assert office.told("import", "nem12", str(file), *TO_ITS_SUPPLY).code == 0
    file.write_text(OWN_FILE.replace("202601020000", "202601020001"))

    told = office.told("import", "nem12", str(file), *TO_ITS_SUPPLY)

    assert told.code == 0
    assert "billed 0 (0.000000 kWh), held 0, superseded 96" in told.text
    assert readings_taken_in(office) == 96


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_a_later_file_with_what_was_measured_corrects_an_estimate(office: Office, file: Path) -> None:
    add_supply(office, NMI)
    file.write_text(OWN_FILE.replace(",A,,,", ",E52,,,"))
    estimated = office.told("import", "nem12", str(file), *TO_ITS_SUPPLY)
    assert "billed 96 (168.000000 kWh), held 0, superseded 0" in estimated.text
    file.write_text(OWN_FILE.replace("1.5,1.5,", "2.5,1.0,", 1))

    measured = office.told("import", "nem12", str(file), *TO_ITS_SUPPLY)

    assert measured.code == 0, measured.text
    assert "billed 0 (0.000000 kWh), corrected 96 (+0.500000 kWh), held 0, superseded 0" in measured.text


@pytest.mark.kafka
def test_two_nmis_do_not_share_a_supply_point(closed_office: Office, file: Path) -> None:
    text = OWN_FILE.replace("900\n", "")
    both = text + "\n".join(text.replace(NMI, "OURNMI0002").splitlines()[1:]) + "\n900\n"
    file.write_text(both)
    add_supply(closed_office, NMI)

    told = closed_office.told("import", "nem12", str(file), *TO_ITS_SUPPLY, "--map", f"OURNMI0002=supply-{NMI}")

    assert told.code == 2
    assert f"NMI {NMI} and OURNMI0002 are both mapped to supply point 'supply-{NMI}'; give each its own" in told.text


@pytest.mark.kafka
def test_an_import_that_waits_in_vain_says_one_thing(closed_office: Office, file: Path) -> None:
    add_supply(closed_office, NMI)

    # Longer than the ledger may be silent before a sweep is sent again: what a collector would log then.
    told = closed_office.told("import", "nem12", str(file), *TO_ITS_SUPPLY, "--timeout", "7")

    assert told.code == 2
    assert told.text.startswith("wattledger: the ledger has not acknowledged 1 of 1 sweeps within 7 s")
    assert len(told.text.splitlines()) == 1
