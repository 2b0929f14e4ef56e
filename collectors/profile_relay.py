"""A profile's relay: what is written to switch it, and what it is read back by."""

from collectors.decode import words_of
from collectors.number_kinds import SIGNED, UNSIGNED, Layout
from collectors.profile import Relay
from collectors.tables import Table

_REMEDY = "say 2S or 1S: how many independent sources agree"


def read_relay(table: Table, *, layout: Layout) -> Relay:
    """Read the `[relay]` table; what is written goes out in the profile's word and byte order, as it is read."""
    state = table.table("state")
    table.text("confidence", remedy=_REMEDY)
    state.text("confidence", remedy=_REMEDY)
    opening, closing = _written(table, layout)
    relay = Relay(
        address=table.integer("address", minimum=0, maximum=0xFFFE),
        open_words=opening,
        close_words=closing,
        state_address=state.integer("address", minimum=0, maximum=0xFFFF),
        state_mask=state.integer("mask", minimum=1, maximum=0xFFFF),
        state_open_value=state.integer("open_value", minimum=0, maximum=0xFFFF),
        state_closed_value=state.integer("closed_value", minimum=0, maximum=0xFFFF),
        low_byte_first=layout.low_byte_first,
    )
    _check(table, state, relay)
    return relay


def _written(table: Table, layout: Layout) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the words that open and close: a number of a kind, or words in the order of their addresses."""
    if table.has("kind"):
        kind = table.choice("kind", among=(*UNSIGNED, *SIGNED))
        numbers = (table.integer(key, minimum=0, maximum=2**31) for key in ("open_number", "close_number"))
        opening, closing = (words_of(shown, kind=kind, layout=layout) for shown in numbers)
        return opening, closing
    bytes_only = Layout(low_byte_first=layout.low_byte_first)
    opening, closing = (
        tuple(words_of(word, kind="u16", layout=bytes_only)[0] for word in table.integers(key, maximum=0xFFFF))
        for key in ("open_words", "close_words")
    )
    return opening, closing


def _check(table: Table, state: Table, relay: Relay) -> None:
    for key, shown in (("open_value", relay.state_open_value), ("closed_value", relay.state_closed_value)):
        if shown & ~relay.state_mask:
            state.wrong(key, f"{shown:#x} has bits outside mask {relay.state_mask:#x}; widen it")
    if relay.state_open_value == relay.state_closed_value:
        state.wrong("closed_value", "is the same as open_value; the read-back could not tell them apart")
    if relay.open_words == relay.close_words:
        table.wrong("close_words", "are the same as open_words; a relay that cannot be told apart is never switched")
    if len(relay.open_words) != len(relay.close_words):
        table.wrong("close_words", "are not as many as open_words; write the same registers both ways")
