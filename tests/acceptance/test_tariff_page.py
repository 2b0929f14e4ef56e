"""docs/tariffs.md keeps its word: every file parses, every command prints what the page says."""

from pathlib import Path

import pytest

from ledger.rating.tariff import parse_tariff
from tests.acceptance.tariff_desk import TariffDesk
from tests.acceptance.tariff_page import PAGE, Example, examples, toml_files

TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = list(examples(TEXT))
REFUSED = {"wrong.toml"}


@pytest.mark.parametrize("name", toml_files(TEXT))
def test_every_tariff_of_the_page_is_good_but_the_wrong_one(name: str) -> None:
    if name not in REFUSED:
        assert parse_tariff(toml_files(TEXT)[name]).code == name.removesuffix(".toml")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: " ".join(example.arguments))
def test_a_command_of_the_page_prints_what_the_page_says(tmp_path: Path, example: Example) -> None:
    desk = TariffDesk(tmp_path)
    for name, text in example.files.items():
        desk.write(name, text)

    finished = desk.gives(*example.arguments)

    assert stripped(finished.stdout + finished.stderr) == stripped(example.prints)
    assert finished.returncode == (2 if REFUSED & set(example.arguments) else 0)


def test_every_tariff_of_the_page_is_used_by_a_command() -> None:
    used = {argument for example in EXAMPLES for argument in example.arguments}
    assert set(toml_files(TEXT)) <= used


def stripped(text: str) -> str:
    """Spaces at the ends of lines and empty lines at the ends of texts are no promise."""
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()).strip("\n")
