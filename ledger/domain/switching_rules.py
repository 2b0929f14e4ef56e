"""How a site switches: what must be so before anybody is cut, and what must never happen to a building at once.

Set on the site's stream, effective-dated. Durations are whole seconds; 0 switches a rule off.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from ledger.domain.event import Fact, fact_type
from ledger.wire import Instant


class SwitchingRules(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What holds for a site.

    Nobody is cut for credit on a reading older than `reading_age_s`, before a warning is `warning_lead_s` old, or
    within `least_on_s` of being switched on. Where only a debit over a gap of more than `gap_s`, a correction or a
    new tariff's price crossed the line, `grace_s` go by first. A concentrator that nothing came from for `silence_s`
    is out: nobody there is warned or cut, and grace is extended by the outage.

    Where more than `batch_percent` of the site's supplies, and more than `batch_least`, would be cut within
    `batch_window_s`, all of them wait for an operator. No more than `closings_at_once` are closed in one second.
    """

    reading_age_s: int = 86_400
    warning_lead_s: int = 900
    least_on_s: int = 60
    gap_s: int = 21_600
    grace_s: int = 86_400
    silence_s: int = 900
    batch_least: int = 5
    batch_percent: int = 2
    batch_window_s: int = 900
    closings_at_once: int = 5

    def batch_limit(self, supplies: int) -> int:
        """Return how many of a site's supplies may be cut within the window without anybody being asked."""
        return max(self.batch_least, supplies * self.batch_percent // 100)

    @property
    def grace(self) -> timedelta:
        """How long nobody is cut after something else than usage crossed the line."""
        return timedelta(seconds=self.grace_s)

    @property
    def window(self) -> timedelta:
        """The time within which cuts count together."""
        return timedelta(seconds=self.batch_window_s)


@fact_type("site.switching-rules-set/1")
class SwitchingRulesSet(Fact, frozen=True, kw_only=True):
    """From `effective_from` the site switches by these rules."""

    site: str
    effective_from: Instant
    rules: SwitchingRules
    operator: str


# What holds for a site that never said otherwise.
FIRST_RULES = SwitchingRules()


def rules_at(history: Iterable[Fact], instant: datetime) -> SwitchingRules:
    """Return the rules in force at an instant, of a site's facts as recorded."""
    begun = [row for row in history if isinstance(row, SwitchingRulesSet) and row.effective_from <= instant]
    newest = max(reversed(begun), key=lambda row: row.effective_from, default=None)
    return FIRST_RULES if newest is None else newest.rules
