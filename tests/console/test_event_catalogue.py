from pathlib import Path

from msgspec import inspect as types
from typer.testing import CliRunner

from console.cli import make_app
from console.event_catalogue import described, page, unit_of
from ledger.domain.event import FACTS
from ledger.rating.lines import Counters

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def test_the_page_of_events_is_what_the_code_says_now() -> None:
    assert PAGE.read_text() == page(), "run: wattledger events catalogue > docs/events.md"


def test_the_command_prints_the_page() -> None:
    result = CliRunner().invoke(make_app(), ["events", "catalogue"])
    assert (result.exit_code, result.output) == (0, page())


def test_every_event_type_has_its_fields_and_tells_whether_it_moves_money() -> None:
    sections = {part.split("`")[0]: part for part in page().split("\n### `")[1:]}
    assert set(sections) == set(FACTS)
    for topic, cls in FACTS.items():
        assert all(f"| `{name}` |" in sections[topic] for name in cls.__struct_fields__)
        assert ("Moves money: yes" in sections[topic]) == ("postings" in cls.__struct_fields__)


def test_a_field_is_told_with_the_unit_in_its_name() -> None:
    assert (unit_of("amount_micros"), unit_of("usage_milliwh"), unit_of("max_power_w")) == (
        "micro-units of currency",
        "mWh",
        "W",
    )
    assert unit_of("supply") == ""


def test_a_value_inside_an_event_is_described_once_with_all_that_it_holds() -> None:
    inner: dict[str, types.StructType] = {}
    assert described(types.type_info(list[Counters]), inner) == "list of [Counters](#counters)"
    assert set(inner) == {"Counters", "Tally"}
