"""How long a thread of Python's may keep the others waiting for the interpreter.

One thread computes the next batch while another commits the one before. That one comes back to the interpreter a few
dozen times in a transaction, from each statement and each wait of a COPY, and is given it by whoever computes after
five milliseconds, by default: a gate that could be free after a tenth of a second is held for two.
"""

import sys

# Some ten readings are priced in that time: whoever computes is not held up by it either.
_SWITCH_S = 0.0005


def take_short_turns() -> None:
    """Let threads that come back from waiting have the interpreter soon."""
    sys.setswitchinterval(_SWITCH_S)
