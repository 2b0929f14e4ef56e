"""A meter that takes tokens: the library's own decoder, and a register. It knows only what is typed into it."""

from dataclasses import dataclass, field

from openpaygo import OpenPAYGOTokenDecoder, TokenType

from console.tokens.digits import Secrets


@dataclass
class TokenMeter:
    """Credit and register in units; it counts on while it has credit, and stands without."""

    secrets: Secrets
    credit: int = 0
    used: int = 0
    is_unlocked: bool = False
    count: int = 1
    # The decoder wants something in it, or it keeps no counts at all.
    used_counts: list[int] = field(default_factory=lambda: [0])

    def enter(self, digits: str) -> str:
        """Type digits in; say what the meter makes of them."""
        try:
            value, kind, count, used_counts = OpenPAYGOTokenDecoder.decode_token(
                token=digits,
                secret_key=self.secrets.key_hex,
                count=self.count,
                used_counts=self.used_counts,
                starting_code=self.secrets.starting_code,
            )
        except UnboundLocalError:
            # openpaygo 0.6.3 stumbles over extended digits that match no count.
            return "invalid"
        if count is None:
            return "used" if kind == TokenType.ALREADY_USED else "invalid"
        self.count, self.used_counts = max(count, self.count), used_counts
        if kind == TokenType.ADD_TIME:
            self.credit += int(value)
            return "added"
        if kind == TokenType.SET_TIME:
            self.credit = int(value)
            return "set"
        if kind == TokenType.DISABLE_PAYG:
            self.is_unlocked = True
            return "disabled"
        return "synced"

    def use(self, units: int) -> None:
        """Let the household use so much, as far as there is credit."""
        taken = min(units, self.credit)
        self.credit -= taken
        self.used += taken
