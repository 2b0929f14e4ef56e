"""The situation of a supply that a decision on its relay is taken in. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ledger.domain.credit.standing import CreditStanding
from ledger.domain.cuts import Cuts
from ledger.domain.relay import GraceCause
from ledger.domain.site import Reconnection
from ledger.domain.switching_rules import FIRST_RULES, SwitchingRules
from projections.switching import Switching


@dataclass(frozen=True, slots=True)
class Crossing:
    """What brought an account to the line: the event's position, and why it grants grace, None for plain usage."""

    position: int
    grace: GraceCause | None = None


# Further back than anybody looks: nothing of late brought the account there.
LONG_AGO = Crossing(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A supply as the ledger knows it at `ledger_position`; amounts in micro-units.

    `has_relay` is false where nothing at the edge could carry out an order. `is_barred`: the meter reads back another
    serial than its own, so an order to it would switch somebody else's supply. `reading_at` is its newest good
    reading, `silent_since` when its concentrator was last heard of, where that is too long ago. `crossing` is None
    where it is not known yet what brought the account to the line; then nobody is cut. `lacks_commissioning`: its
    site asks for one, and its meter never came through it. `off_until` is when the time ends in which a timetable has
    the supply off, None where it is on.
    """

    supply: str
    site: str
    concentrator: str
    meter: str
    has_relay: bool
    account: str
    standing: CreditStanding
    reconnection: Reconnection
    switching: Switching
    ledger_position: int
    rules: SwitchingRules = FIRST_RULES
    cuts: Cuts = field(default_factory=lambda: Cuts(""))
    reading_at: datetime | None = None
    silent_since: datetime | None = None
    crossing: Crossing | None = LONG_AGO
    is_barred: bool = False
    lacks_commissioning: bool = False
    is_protected: bool = False
    off_until: datetime | None = None

    @property
    def held_with_others(self) -> bool:
        """Whether the supply waits for an operator, with others of its site."""
        return self.supply in self.cuts.held

    def has_fresh_reading(self, now: datetime) -> bool:
        """Tell whether the meter was read lately enough for a cut."""
        age_s = self.rules.reading_age_s
        if not age_s:
            return True
        return self.reading_at is not None and now - self.reading_at < timedelta(seconds=age_s)
