"""The simulator's state file: what its registers show, for whoever checks the ledger against them."""

import json
import os
from pathlib import Path
from typing import Literal

import msgspec

from collectors.errors import BadFile


class MeterState(msgspec.Struct, frozen=True, kw_only=True):
    """One meter in the state file; `register_*` is what the meter shows, `total_milliwh` what it has inside."""

    register_counts: int
    register_milliwh: int
    opening_milliwh: int
    relay: Literal["open", "closed"]
    total_milliwh: int
    periods_milliwh: dict[str, int]
    control: tuple[int, int]


class SimulatorState(msgspec.Struct, frozen=True, kw_only=True):
    """The whole state file; `frozen` means that its figures will not change again."""

    frozen: bool
    meters: dict[str, MeterState]


def read_state(path: Path) -> SimulatorState | None:
    """Read a state file, None where there is none; raises BadFile where it is not one."""
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=SimulatorState)
    except (OSError, msgspec.DecodeError) as error:
        raise BadFile(path=str(path), errors=[f"is no simulator state: {error}; delete it to start anew"]) from None


def write_state(path: Path, state: SimulatorState) -> None:
    """Replace the state file at once, so that a reader never sees half of one."""
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps(msgspec.to_builtins(state), indent=1), encoding="utf-8")
    os.replace(draft, path)
