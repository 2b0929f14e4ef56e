"""The `wattledger tariff` command as its users give it, in a process of its own, in a folder of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEAD = """
code = "{code}"
currency = "CNY"
time_zone = "Asia/Shanghai"
billing_period = "month"
prices = "tax-exclusive"
tax_point = "supply"
"""

Finished = subprocess.CompletedProcess[str]


@dataclass(frozen=True, slots=True)
class TariffDesk:
    """A folder of tariff and usage files, and the command line in it."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, text: str) -> str:
        """Write a file into the folder and return its name."""
        (self.folder / name).write_text(text)
        return name

    def tariff(self, charges: str, *, code: str = "home") -> str:
        """Write a tariff file of these tables, Chinese and monthly unless they say otherwise."""
        return self.write(f"{code}.toml", HEAD.format(code=code) + charges)

    def gives(self, *arguments: str) -> Finished:
        """Run `wattledger tariff` with these arguments."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WATTLEDGER_")}
        return subprocess.run(
            [sys.executable, "-m", "console", "tariff", *arguments],
            cwd=self.folder,
            env=inherited | {"PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "dumb"} | self.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def rated(self, *arguments: str) -> dict[str, Any]:
        """Run `tariff rate … --json` and return what it prints."""
        return self._json("rate", *arguments)

    def quoted(self, *arguments: str) -> dict[str, Any]:
        """Run `tariff quote … --json` and return what it prints."""
        return self._json("quote", *arguments)

    def simulated(self, *arguments: str) -> dict[str, Any]:
        """Run `tariff simulate … --json` and return what it prints."""
        return self._json("simulate", *arguments)

    def refused(self, *arguments: str) -> str:
        """Run a command that must be refused without a traceback; return its message."""
        finished = self.gives(*arguments)
        assert finished.returncode == 2, finished.stdout + finished.stderr
        assert "Traceback" not in finished.stderr
        return finished.stderr

    def _json(self, *arguments: str) -> dict[str, Any]:
        finished = self.gives(*arguments, "--json")
        assert finished.returncode == 0, finished.stdout + finished.stderr
        found: dict[str, Any] = json.loads(finished.stdout)
        return found
