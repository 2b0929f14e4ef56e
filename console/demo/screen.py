"""The demo on the terminal: every room with its balance and relay, and the story so far."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from console.demo.estate import CURRENCY, Room
from console.demo.observer import Sight
from projections.queries import Balance, RelayState

_BAR_WIDTH = 20
_STORY_LINES = 10
# What the screen needs beside the rooms and the story's lines: with the table's frame, and without.
_FRAMED_ROWS = 9
_PLAIN_ROWS = 6
_FULL = Decimal(60)


@dataclass(slots=True)
class Story:
    """What happened, in the order in which it did; the newest few lines are shown."""

    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_STORY_LINES))

    def tell(self, text: str, *, now: datetime) -> str:
        """Add a line and return it."""
        line = f"{now.astimezone():%H:%M:%S}  {text}"
        self.lines.append(line)
        return line


def rendered(*, rooms: list[Room], sight: Sight, story: Story, remaining_s: float, height: int) -> Group:
    """Draw the estate, the story and the figures so that a terminal of `height` rows shows all of it."""
    is_roomy = height >= len(rooms) + _STORY_LINES + _FRAMED_ROWS
    told = list(story.lines)[-_STORY_LINES if is_roomy else -max(2, height - len(rooms) - _PLAIN_ROWS) :]
    balances = {balance.account: balance for balance in sight.balances}
    relays = {relay.supply: relay for relay in sight.relays}
    table = Table(
        expand=True,
        title="Riverside: twelve rooms, read over Modbus TCP every second" if is_roomy else None,
        box=box.HEAVY_HEAD if is_roomy else None,
    )
    table.add_column("supply point")
    table.add_column("used, kWh", justify="right")
    table.add_column(f"balance, {CURRENCY}", justify="right")
    table.add_column("", min_width=_BAR_WIDTH)
    table.add_column("relay")
    for room in rooms:
        _add_room(table, room, balances.get(room.account), relays.get(room.supply))
    shown = Text("\n".join(told) or "waiting for the first readings ...", no_wrap=True, overflow="ellipsis")
    return Group(table, Panel(shown, title="the story"), _footer(sight, remaining_s))


def _add_room(table: Table, room: Room, balance: Balance | None, relay: RelayState | None) -> None:
    if balance is None:
        table.add_row(room.supply, "", "", "", "")
        return
    kwh = Decimal(balance.usage_milliwh).scaleb(-6)
    style = "red" if balance.balance <= 0 else "yellow" if relay is not None and relay.warned else "green"
    table.add_row(
        room.supply,
        f"{kwh:.2f}",
        Text(f"{balance.balance:.4f}", style=style),
        _bar(balance.balance, style),
        _relay(relay),
    )


def _bar(balance: Decimal, style: str) -> Text:
    filled = int(max(Decimal(0), min(balance / _FULL, Decimal(1))) * _BAR_WIDTH + Decimal("0.5"))
    return Text("█" * filled + "░" * (_BAR_WIDTH - filled), style=style)


def _relay(relay: RelayState | None) -> Text:
    """The relay as it was last read back; what was never switched is as its meter was installed, closed."""
    if relay is None or (relay.actual == "unknown" and relay.desired == "closed"):
        return Text("closed", style="green")
    if relay.actual == "open":
        return Text("OPEN" if relay.desired == "open" else "OPEN, closing ...", style="bold red")
    return Text("closed" if relay.desired == "closed" else "closed, opening ...", style="green")


def _footer(sight: Sight, remaining_s: float) -> Text:
    figures = sight.figures
    if figures is None:
        return Text("")
    return Text(
        f"{figures.debits} debits   {figures.top_ups} top-ups   "
        f"{figures.disconnections_confirmed} disconnected   {figures.reconnections_confirmed} reconnected   "
        f"{figures.held_readings} readings held   {max(0, int(remaining_s))} s to go",
        style="dim",
    )
