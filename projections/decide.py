"""The relay decision: from a supply's situation to warnings, grace, locks and an order.

Pure: no I/O, no clock. It is taken inside the gate, on figures as of the ledger's head (design I7), and everything
that it goes by stands in the ledger, so that it can be taken again by whoever doubts it.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from ledger.domain.event import Fact
from ledger.domain.relay import (
    UNDONE,
    GraceBegun,
    GraceExtended,
    LockCause,
    LockCleared,
    LockSet,
    LowBalanceWarned,
    Memory,
    Relay,
    WarningCleared,
)
from ledger.wire import RelayAction
from projections.situation import Situation
from projections.switching import Switching, switched

CREDIT: Final = "credit"
TIMETABLE: Final = "timetable"
# The reason of an order that nothing but credit justifies; the edge refuses it for protected supplies.
FOR_CREDIT: Final = "no-credit"
FOR_TIMETABLE: Final = f"locked-{TIMETABLE}"

FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(minutes=15)
# An order that has less than this before nobody may be cut is not worth its way.
LEAST_LIFE = timedelta(seconds=15)
# How much of an outage has passed before grace is extended by it once more.
_EXTEND_BY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Order:
    """What a relay shall do, and the code of why."""

    action: RelayAction
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from a situation: facts for the Relay stream, then an order to be signed, if any."""

    facts: tuple[Fact, ...]
    order: Order | None

    def __bool__(self) -> bool:
        return bool(self.facts) or self.order is not None

    @property
    def is_cut(self) -> bool:
        """Whether a supply that was on is to be off for credit from now on."""
        return any(isinstance(fact, LockSet) and fact.cause == CREDIT for fact in self.facts)


def decide(situation: Situation, *, now: datetime) -> Decision:
    """Decide on a supply."""
    return _Deciding(situation, now).decision()


def may_be_cut(situation: Situation, relay: Relay, now: datetime) -> bool:
    """Tell whether a supply may be off for credit now, all but grace and the others of its site considered."""
    return (
        situation.standing.may_be_cut
        and not situation.is_protected
        and not situation.lacks_commissioning
        and situation.silent_since is None
        and situation.has_fresh_reading(now)
        and not relay.is_forced_on(now)
        and not situation.cuts.is_spared(situation.supply, now)
        and not _ends_too_soon(situation, now)
    )


def retry_pause(attempts: int) -> timedelta:
    """Return how long after an order the next one for the same end may follow: doubling, bounded."""
    return min(FIRST_RETRY * (1 << min(max(attempts - 1, 0), 20)), LONGEST_RETRY)


@dataclass(slots=True)
class _Deciding:
    """A decision under way; the relay is as the facts told so far leave it."""

    situation: Situation
    now: datetime
    facts: list[Fact] = field(default_factory=list)
    switching: Switching = field(init=False)

    def __post_init__(self) -> None:
        self.switching = self.situation.switching

    @property
    def relay(self) -> Relay:
        return self.switching.relay

    @property
    def memory(self) -> Memory:
        return self.switching.relay.memory

    def decision(self) -> Decision:
        if self.situation.silent_since is None:
            self._warn()
        if not self.situation.has_relay or self.situation.is_barred:
            return Decision(tuple(self.facts), None)
        self._end_locks()
        self._keep_timetable()
        self._extend_grace()
        self._lock_for_credit()
        return Decision(tuple(self.facts), self._order())

    def _tell(self, fact: Fact) -> None:
        self.facts.append(fact)
        self.switching = switched(self.switching, fact)

    def _warn(self) -> None:
        level = self._warning_level()
        before = self.memory.warned_level or int(self.relay.warned)
        if level == before:
            return
        about: dict[str, Any] = {
            "supply": self.situation.supply,
            "account": self.situation.account,
            "balance_micros": self.situation.standing.balance_micros,
            "ledger_position": self.situation.ledger_position,
            "level": level,
            "recorded_at": self.now,
        }
        if level > before:
            self._tell(LowBalanceWarned(threshold_micros=self.situation.standing.warning_micros, **about))
        else:
            self._tell(WarningCleared(**about))

    def _warning_level(self) -> int:
        """Whoever may be cut is warned before, on a site without any threshold too."""
        standing = self.situation.standing
        if standing.is_out and self.situation.rules.warning_lead_s:
            return max(standing.warning_level, 1)
        return standing.warning_level

    def _end_locks(self) -> None:
        for held in self.memory.held:
            if held.until is not None and held.until <= self.now:
                self._clear(held.cause, reason="time-over")

    def _keep_timetable(self) -> None:
        until = None if self.situation.is_protected else self.situation.off_until
        if until is None and TIMETABLE in self.relay.locks:
            self._clear(TIMETABLE)
        elif until is not None and until - self.now >= LEAST_LIFE and TIMETABLE not in self.relay.locks:
            self._tell(self._lock(TIMETABLE))

    def _extend_grace(self) -> None:
        """While nothing is heard of a site its consumers cannot see what they have, nor anybody else."""
        until, since = self.memory.grace_until, self.situation.silent_since
        if until is None or since is None or until <= since:
            return
        counted_to = max(since, self.memory.counted_to or since)
        if self.now - counted_to >= _EXTEND_BY:
            self._tell(
                GraceExtended(
                    supply=self.situation.supply,
                    until=until + (self.now - counted_to),
                    silent_since=since,
                    counted_to=self.now,
                    recorded_at=self.now,
                )
            )

    def _lock_for_credit(self) -> None:
        standing = self.situation.standing
        if CREDIT in self.relay.locks:
            if standing.may_come_back or self.situation.is_protected:
                self._clear(CREDIT)
        elif may_be_cut(self.situation, self.relay, self.now) and self._is_cut_due():
            self._tell(self._lock(CREDIT))

    def _is_cut_due(self) -> bool:
        """Tell whether a supply that may be cut is to be: warned of it, no grace left, no operator to wait for."""
        rules, memory = self.situation.rules, self.memory
        if rules.warning_lead_s:
            lead = timedelta(seconds=rules.warning_lead_s)
            if memory.warned_at is None or self.now < memory.warned_at + lead:
                return False
        if memory.closed_at is not None and self.now < memory.closed_at + timedelta(seconds=rules.least_on_s):
            return False
        if self.situation.held_with_others or self.situation.crossing is None:
            return False
        return not self._has_grace()

    def _has_grace(self) -> bool:
        """Tell whether what crossed the line grants time that is not over; it begins when it is first looked at."""
        crossing, until = self.situation.crossing, self.memory.grace_until
        if crossing is None:
            raise AssertionError("grace was asked for before it was known what crossed the line")
        if until is not None and self.now < until:
            return True
        is_new = crossing.position != self.memory.grace_for
        if crossing.grace is None or not is_new or not self.situation.rules.grace_s:
            return False
        self._tell(
            GraceBegun(
                supply=self.situation.supply,
                account=self.situation.account,
                cause=crossing.grace,
                crossed_at=crossing.position,
                until=self.now + self.situation.rules.grace,
                balance_micros=self.situation.standing.usable_micros,
                threshold_micros=self.situation.standing.threshold_micros,
                ledger_position=self.situation.ledger_position,
                recorded_at=self.now,
            )
        )
        return True

    def _lock(self, cause: LockCause) -> LockSet:
        situation = self.situation
        if cause != CREDIT:
            return LockSet(
                supply=situation.supply,
                cause=cause,
                account=situation.account,
                balance_micros=situation.standing.balance_micros,
                ledger_position=situation.ledger_position,
                site=situation.site,
                recorded_at=self.now,
            )
        return LockSet(
            supply=situation.supply,
            cause=CREDIT,
            account=situation.account,
            balance_micros=situation.standing.usable_micros,
            ledger_position=situation.ledger_position,
            site=situation.site,
            threshold_micros=situation.standing.threshold_micros,
            reading_at=situation.reading_at,
            warned_at=self.memory.warned_at,
            crossed_at=0 if situation.crossing is None else situation.crossing.position,
            recorded_at=self.now,
        )

    def _clear(self, cause: Any, *, reason: str = "") -> None:
        standing = self.situation.standing
        self._tell(
            LockCleared(
                supply=self.situation.supply,
                cause=cause,
                account=self.situation.account,
                balance_micros=standing.usable_micros if cause == CREDIT else standing.balance_micros,
                ledger_position=self.situation.ledger_position,
                reason=reason,
                recorded_at=self.now,
            )
        )

    def _order(self) -> Order | None:
        wanted = self._wanted()
        if wanted is None:
            # Closing needs a person's consent here; what was wanted stays wanted.
            return None
        if self.relay.desired != ("open" if wanted.action == "open" else "closed"):
            return wanted
        if self.relay.order is not None and _is_spent(self.switching, self.now):
            # What keeps a supply off may have changed since it was first ordered; why it was closed has not.
            return wanted if wanted.action == "open" else Order("close", self.relay.order.reason)
        return None

    def _wanted(self) -> Order | None:
        locks = self.relay.holding(self.now)
        if locks == {CREDIT}:
            # Whatever became of the first order: nobody is cut while something spares them.
            return Order("open", FOR_CREDIT) if may_be_cut(self.situation, self.relay, self.now) else None
        if locks:
            others = locks - {CREDIT}
            return Order("open", f"locked-{min(others)}")
        return self._closing()

    def _closing(self) -> Order | None:
        mode = self.situation.reconnection
        if mode == "automatic":
            return Order("close", "topped-up" if self._was_locked_for_credit() else "locks-clear")
        if self.memory.resumes and mode == "confirm":
            # Who lives by a timetable knows when it switches on; what was off before it waits for its consent.
            return Order("close", TIMETABLE)
        if mode == "confirm" and self.relay.has_consent(self.now):
            return Order("close", "consented")
        return None

    def _was_locked_for_credit(self) -> bool:
        return CREDIT in self.situation.switching.relay.locks


def _ends_too_soon(situation: Situation, now: datetime) -> bool:
    """Tell whether the next time when nobody is cut begins before an order would have got anywhere."""
    begins = situation.standing.friendly_from
    return begins is not None and begins - now < LEAST_LIFE


def _is_spent(switching: Switching, now: datetime) -> bool:
    """Tell whether the newest order did not bring about what it was for, and its pause is over."""
    relay = switching.relay
    if relay.order is None or now < relay.order.issued_at + retry_pause(switching.attempts):
        return False
    if relay.order_outcome is None:
        return now >= relay.order.expires_at
    return relay.order_outcome in UNDONE and switching.readback != relay.desired
