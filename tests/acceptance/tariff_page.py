"""docs/tariffs.md as a sequence of files and commands, in the order of the page.

A block of `toml` is a file named by its first line, `# NAME.toml`; a block of `csv` is the file that `--usage` of the
next command names; a block of `console` holds commands (`$ wattledger …`), each followed by what it prints.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "tariffs.md"
_BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"\A# (?P<name>[a-z-]+\.toml)\n")
_USAGE = re.compile(r"--usage (?P<name>\S+)")


@dataclass(frozen=True, slots=True)
class Example:
    """A command of the page, what it prints there, and the files that the page has shown by then."""

    arguments: tuple[str, ...]
    prints: str
    files: dict[str, str]


def toml_files(page: str) -> dict[str, str]:
    """Every tariff file of the page by its name."""
    files: dict[str, str] = {}
    for block in _BLOCK.finditer(page):
        if block["kind"] == "toml":
            name = _NAME.match(block["text"])
            assert name is not None, f"a toml block begins with its name, '# NAME.toml', not {block['text'][:40]!r}"
            assert name["name"] not in files, f"{name['name']} is on the page twice"
            files[name["name"]] = block["text"]
    return files


def examples(page: str) -> Iterator[Example]:
    """Every command of the page, in order."""
    files = toml_files(page)
    usage = ""
    for block in _BLOCK.finditer(page):
        if block["kind"] == "csv":
            usage = block["text"]
        elif block["kind"] == "console":
            for command in block["text"].split("$ wattledger tariff ")[1:]:
                line, _, prints = command.partition("\n")
                named = _USAGE.search(line)
                yield Example(tuple(line.split()), prints, files | ({named["name"]: usage} if named else {}))
