"""What needs two people, effective-dated, for the whole ledger or for a site."""

from collections.abc import Iterable
from datetime import UTC, datetime

from ledger.domain.event import Fact, fact_type
from ledger.values.money import MICROS_PER_UNIT
from ledger.wire import Instant


@fact_type("policy.four-eyes-changed/1")
class FourEyesChanged(Fact, frozen=True, kw_only=True):
    """From an instant on, adjustments, refunds and write-offs above `limit_micros` need a second person.

    `site` is empty for the whole ledger; a site's own goes before it. `tariffs` asks two people for a new version of
    a tariff that has billed anybody; sites have no say in that.
    """

    site: str
    effective_from: Instant
    limit_micros: int
    tariffs: bool
    operator: str
    approved_by: str = ""


History = tuple[FourEyesChanged, ...]
UNKNOWN: History = ()

# What holds where nobody ever set anything: two people for what is large, and for prices that people already pay.
FIRST = FourEyesChanged(
    site="",
    effective_from=datetime(1970, 1, 1, tzinfo=UTC),
    limit_micros=500 * MICROS_PER_UNIT,
    tariffs=True,
    operator="",
    recorded_at=datetime(1970, 1, 1, tzinfo=UTC),
)


def evolve(history: History, fact: Fact) -> History:
    """Apply a fact of the stream; validation was done before it was recorded."""
    if not isinstance(fact, FourEyesChanged):
        raise AssertionError(f"{type(fact).__name__} does not belong to the policy stream")
    return (*history, fact)


def in_force(history: Iterable[FourEyesChanged], instant: datetime, *, site: str = "") -> FourEyesChanged:
    """Return what holds at an instant: the site's own, or the ledger's, or what holds where nothing was set."""
    begun = [row for row in history if row.effective_from <= instant]
    for scope in dict.fromkeys((site, "")):
        rows = [row for row in begun if row.site == scope]
        if rows:
            return max(reversed(rows), key=lambda row: row.effective_from)
    return FIRST
