"""Tariffs in a ledger, as operators and auditors meet them: published, compared, assigned, explained, simulated."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from ledger.domain.meter import UsageDebited
from ledger.store.application import Ledger
from ledger.store.log import read_log
from tests.acceptance.tariff_desk import TariffDesk
from tests.estate import FLAT_TARIFF, build_estate
from tests.services.postgres import Database
from tests.streams.direct import fault_free
from tests.streams.truth import make_truth

METERS = {"c1": ["c1-1-m", "c1-2-m"], "c2": ["c2-1-m", "c2-2-m"]}
TRUTH = make_truth(METERS, sweeps=8)
TWO_PEOPLE = ("--proposed-by", "li", "--approved-by", "wang")
DRAFT = FLAT_TARIFF.replace("0.617", "1.234")


@pytest.fixture
def ledger_url(database: Database) -> str:
    """A ledger with four billed supply points on the tariff `flat`."""
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        build_estate(ledger, concentrators=2, meters_each=2, opened_at=TRUTH.opened_at)
    fault_free(database, TRUTH)
    return database.url("wattledger_writer")


@pytest.fixture
def desk(tmp_path: Path, ledger_url: str) -> TariffDesk:
    return TariffDesk(tmp_path, {"WATTLEDGER_DATABASE_URL": ledger_url})


@pytest.fixture
def auditor(tmp_path: Path, ledger_url: str, database: Database) -> TariffDesk:
    """The same desk, with the rights of finance: to read and nothing else."""
    return TariffDesk(tmp_path, {"WATTLEDGER_DATABASE_URL": database.url("wattledger_finance")})


def debits(url: str) -> dict[int, UsageDebited]:
    """Every debit by its position, in order."""
    with psycopg.connect(url) as connection:
        log = read_log(connection, after=0, limit=100_000)
    return {entry.position: entry.fact for entry in log if isinstance(entry.fact, UsageDebited)}


def test_a_version_is_published_listed_shown_and_compared(desk: TariffDesk, auditor: TariffDesk) -> None:
    desk.write("draft.toml", DRAFT)
    dearer = ("--note", "dearer", "--from", "2027-01-01T00:00:00+08:00")
    assert "takes two people" in desk.gives("publish", "draft.toml", *dearer).stderr
    proposed = desk.gives("publish", "draft.toml", *dearer, *TWO_PEOPLE[:2])
    assert "wattledger proposals approve publish-tariff-" in proposed.stdout
    published = desk.gives("publish", "draft.toml", *dearer, *TWO_PEOPLE)
    assert "published as version 2" in published.stdout, published.stderr

    listed = auditor.gives("list").stdout
    assert "dearer" in listed
    assert "1 (in force)" in listed
    shown = auditor.gives("show", "flat", "--version", "2").stdout
    assert 'price_per_kwh = "1.234"' in shown
    auditor.write("again.toml", shown)
    assert auditor.gives("diff", "flat@2", "again.toml").returncode == 0
    differs = auditor.gives("diff", "flat@1", "flat@2")
    assert differs.returncode == 1
    assert "0.617" in differs.stdout
    assert "1.234" in differs.stdout
    assert "1 of " in differs.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "flat", "--version", "7"), "has no version 7; it has 1 to 1"),
        (("show", "flut"), "there is no tariff 'flut'; known: flat"),
        (("diff", "flat@1", "nowhere.toml"), "nowhere.toml cannot be read"),
        (("assign", "flat", "--from", "2027-01-01T00:00:00+08:00"), "say which supply points"),
        (("assign", "flat", "--from", "2027-01-01T00:00:00+08:00", "--site", "south"), "no supply point matches"),
        (("assign", "flut", "--from", "2027-01-01T00:00:00+08:00", "--site", "north"), "there is no tariff 'flut'"),
        (("explain", "c1-1-a", "1"), "position 1 is no debit"),
        (("explain", "c1-1-a", "1000000"), "no event at position 1000000"),
        (("simulate", "flat@1", "--from", "2001-01-01", "--to", "2001-02-01"), "no debit ended"),
        (("simulate", "flat@1", "--from", "2001-02-01", "--to", "2001-01-01"), "is not after --from"),
        (("simulate", "flat@1", "--from", "soon", "--to", "2001-01-01"), "'soon' is not an ISO 8601 time"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_wish_is_one_message(auditor: TariffDesk, arguments: tuple[str, ...], words: str) -> None:
    assert words in " ".join(auditor.refused(*arguments).split())


def test_a_tariff_is_assigned_to_those_chosen_once(desk: TariffDesk, ledger_url: str) -> None:
    desk.write("night.toml", DRAFT.replace('"flat"\ncurrency', '"night"\ncurrency'))
    desk.gives("publish", "night.toml", "--note", "new", "--from", "2027-01-01T00:00:00+08:00")
    wish = ("assign", "night", "--from", "2027-01-01T00:00:00+08:00", "--site", "north", "--supply", "c1-*")

    head = _head(ledger_url)
    assert "2 to be assigned" in desk.gives(*wish, "--dry-run").stdout
    assert _head(ledger_url) == head
    assert "2 assigned" in desk.gives(*wish).stdout
    assert _head(ledger_url) == head + 2
    assert "2 has it already" in desk.gives(*wish).stdout
    assert _counts(desk.gives(*wish[:-1], "*").stdout) == ["2 assigned", "2 has it already"]
    assert _head(ledger_url) == head + 4


def test_what_the_ledger_refuses_is_told_for_each_supply_point_dry_or_not(desk: TariffDesk) -> None:
    wish = ("assign", "flat", "--from", "2027-01-01T00:00:00+08:00", "--supply", "c1-1")
    desk.write("night.toml", DRAFT.replace('"flat"\ncurrency', '"night"\ncurrency'))
    desk.gives("publish", "night.toml", "--note", "new", "--from", "2027-01-01T00:00:00+08:00")
    desk.gives("assign", "night", "--from", "2028-01-01T00:00:00+08:00", "--supply", "c1-1")
    for dry in ((), ("--dry-run",)):
        finished = desk.gives("assign", "night", *wish[2:], *dry)
        assert finished.returncode == 1
        assert "c1-1: refused: supply point 'c1-1' has terms from" in finished.stderr


def test_every_debit_is_explained_and_comes_out_the_same_again(auditor: TariffDesk, ledger_url: str) -> None:
    # The last debit of each supply point folds all that came before it; one of a milliwatt-hour has no postings.
    newest = {fact.supply: (position, fact) for position, fact in debits(ledger_url).items() if fact.postings}
    assert len(newest) == 4
    for position, fact in newest.values():
        told = auditor.gives("explain", fact.account, str(position))
        assert told.returncode == 0, told.stdout + told.stderr
        for words in (fact.meter, str(fact.reading), "flat@1", "liabilities:prepayment", "income:energy", "equal"):
            assert words in told.stdout
        assert "DIFFERENT" not in told.stdout


def test_a_debit_is_explained_to_its_own_account_only(auditor: TariffDesk, ledger_url: str) -> None:
    position, fact = next(iter(debits(ledger_url).items()))
    other = "c2-2-a" if fact.account != "c2-2-a" else "c1-1-a"
    assert f"not of '{other}'" in " ".join(auditor.refused("explain", other, str(position)).split())


def test_a_draft_is_simulated_over_what_was_used_and_nothing_changes(auditor: TariffDesk, ledger_url: str) -> None:
    auditor.write("draft.toml", DRAFT)
    span = _span()
    head = _head(ledger_url)

    same = auditor.simulated("flat@1", *span)
    dearer = auditor.simulated("draft.toml", *span)
    one = auditor.simulated("draft.toml", *span, "--accounts", "c1-1-a")

    charged = Decimal(sum(fact.amount_micros for fact in debits(ledger_url).values())).scaleb(-6)
    assert Decimal(same["total"]["charged"]) == charged
    assert same["total"]["change"] == "0.00"
    assert Decimal(dearer["total"]["draft"]) == pytest.approx(2 * charged, abs=Decimal("0.0001"))
    assert set(dearer["accounts"]) == {"c1-1-a", "c1-2-a", "c2-1-a", "c2-2-a"}
    assert one["accounts"] == {"c1-1-a": dearer["accounts"]["c1-1-a"]}
    assert _head(ledger_url) == head


BY_THE_DAY = """
[[charges]]
component = "standing"
kind = "daily"
price_per_day = "0.25"

[[charges]]
component = "capacity"
kind = "per-kw"
price_per_kw_month = "90"

[[minimums]]
component = "least"
amount = "1000"
on = ["standing"]
"""


def test_a_simulation_charges_whole_days_and_closes_the_months_that_ended(
    auditor: TariffDesk, ledger_url: str
) -> None:
    auditor.write("draft.toml", FLAT_TARIFF + BY_THE_DAY)
    opened = TRUTH.opened_at.astimezone(ZoneInfo("Asia/Shanghai"))
    first_whole = opened.date() + timedelta(days=1)
    next_month = (first_whole.replace(day=1) + timedelta(days=32)).replace(day=1)
    whole_days = (next_month - first_whole).days

    found = auditor.simulated(
        "draft.toml", "--from", opened.date().isoformat(), "--to", next_month.isoformat(), "--accounts", "c1-1-a"
    )

    components = {name: Decimal(amount) for name, amount in found["components"]["draft"].items()}
    energy = Decimal(found["components"]["charged"]["energy"])
    assert components["energy"] == energy
    assert components["standing"] == Decimal("0.25") * whole_days
    assert "capacity" not in components  # no power is contracted
    # The supply point was opened on a month's last day, which has the minimum of its own month.
    assert first_whole.day == 1
    assert components["least"] == 1000 + (1000 - components["standing"])
    assert Decimal(found["accounts"]["c1-1-a"]["draft"]) == sum(components.values())


def test_a_simulation_is_shown_as_tables_and_a_plot(auditor: TariffDesk) -> None:
    auditor.write("draft.toml", DRAFT)
    told = auditor.gives("simulate", "draft.toml", *_span()).stdout
    for words in ("c1-1-a", "vat", "+100.00", "accounts by change", "█", "nothing was changed"):
        assert words in told


def _span() -> tuple[str, str, str, str]:
    begin, end = TRUTH.opened_at - timedelta(days=2), TRUTH.opened_at + timedelta(days=2)
    return ("--from", begin.date().isoformat(), "--to", end.isoformat())


def _counts(told: str) -> list[str]:
    return sorted(told.strip().rpartition(": ")[2].split(", "))


def _head(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT head FROM ledger.gate").fetchone()
    assert row is not None
    return int(row[0])
