"""Whether a reading may become money (design I8): a bad one is held with a reason, never billed."""

from datetime import datetime, timedelta

import msgspec

from ledger.domain.meter import Episode, HoldReason, MeterState
from ledger.domain.supply import MeterInstalled
from ledger.values.energy import text_from_milliwh
from ledger.wire import RegisterReading

# A message may be published before its readings' times by as much as two clocks may differ.
FUTURE_TOLERANCE = timedelta(minutes=5)
# A reading's time is taken on one side of a Modbus exchange that may take this long.
READ_TIME_TOLERANCE = timedelta(seconds=2)

# Held not because the reading is bad, but because nothing says yet who pays for it, by what, or how much: the next
# reading bills the whole span once that is known, so an episode of these does not outlast its cause.
AWAITED: tuple[str, ...] = ("unoccupied", "no-terms", "register-missing", "unknown-period")

_READ_TIME_TOLERANCE_US = READ_TIME_TOLERANCE // timedelta(microseconds=1)


class Good(msgspec.Struct, frozen=True, gc=False):
    """The reading is consistent with the last good one; `usage_milliwh` counts from there, over a rollover too."""

    usage_milliwh: int


class Bad(msgspec.Struct, frozen=True, gc=False):
    """The reading is not believed; `claimed_milliwh` is what it claims beyond what is billed."""

    reason: HoldReason
    detail: str
    claimed_milliwh: int = 0


def allowance_milliwh(meter: MeterInstalled, span: timedelta) -> int:
    """Return the most energy that the supply can physically have carried in a span, plus one register step."""
    length_us = (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds
    # W × µs / 3.6 × 10⁶ = milliwatt-hours.
    energy = meter.max_power_w * (max(length_us, 0) + _READ_TIME_TOLERANCE_US) // 3_600_000
    return energy + meter.resolution_milliwh


def _told(thousandths: int, unit: str) -> str:
    """Tell a register's value as people read it off: 839 kWh for 839,000,000 mWh."""
    return f"{text_from_milliwh(thousandths)} k{unit.removeprefix('m')}"


class Judging(msgspec.Struct, frozen=True, gc=False):
    """What the registers of a reading may have moved by since the last good one, which was read at `since`."""

    meter: MeterInstalled
    since: datetime
    allowance_milliwh: int
    has_fallen: bool = False

    @property
    def told(self) -> str:
        """What is allowed, in words."""
        return f"{self.meter.max_power_w} W allow {_told(self.allowance_milliwh, 'mWh')}"

    def register(self, register: int, last: int, *, name: str = "register", unit: str = "mWh") -> Good | Bad:
        """Judge a cumulative register against its last good value; the meter's registers share modulus and step."""
        modulus = self.meter.modulus_milliwh
        if register < 0 or (modulus and register >= modulus):
            return Bad("out-of-range", f"{name} {_told(register, unit)} is outside 0 to {_told(modulus, unit)}")
        usage = register - last
        if usage < 0 and modulus and not self.has_fallen and usage + modulus <= self.allowance_milliwh:
            usage += modulus
        if usage < 0:
            return Bad("backwards", f"{name} fell from {_told(last, unit)} to {_told(register, unit)}")
        if usage > self.allowance_milliwh:
            of = "" if name == "register" else f"{name}: "
            since = self.since.isoformat(timespec="seconds")
            detail = f"{of}{_told(usage, unit)} since {since}, but {self.told}"
            return Bad("leap", detail, claimed_milliwh=usage)
        return Good(usage)


def judging_of(
    meter: MeterInstalled, state: MeterState, since: datetime, read_at: datetime, slack_milliwh: int = 0
) -> Judging:
    """Return what may be believed of a reading; `slack_milliwh` may have been held back at `since`.

    While an episode of leaps is open, what may pass does not grow with time, and after a fall no rollover is
    believed: a wrong register that stays must not become believable by waiting.
    """
    allowance = allowance_milliwh(meter, read_at - since) + slack_milliwh
    episode = state.episode
    if episode is None:
        return Judging(meter, since, allowance)
    if episode.allowance_milliwh >= 0:
        allowance = min(allowance, episode.allowance_milliwh)
    return Judging(meter, since, allowance, episode.reason == "backwards")


def judged(reading: RegisterReading, judging: Judging, state: MeterState, published_at: datetime) -> Good | Bad:
    """Judge a register reading's time and its total."""
    if reading.read_at > published_at + FUTURE_TOLERANCE:
        return Bad("in-the-future", f"read at {reading.read_at.isoformat()}, published {published_at.isoformat()}")
    return judging.register(reading.import_milliwh, state.register_milliwh or 0)


def is_counted_in(episode: Episode | None, bad: Bad) -> bool:
    """Tell whether a bad reading only counts in the open episode, or is worse and must be recorded for itself.

    Worse is what may become believable by waiting, and is not kept from that yet: anything bad while only terms or
    an occupant are awaited, the first leap, and a leap that claims less than what the episode would let pass.
    """
    if episode is None or episode.is_dismissed:
        return False
    if bad.reason == "leap" and episode.reason == "leap":
        return bad.claimed_milliwh > episode.allowance_milliwh
    return _gravity(bad.reason) <= _gravity(episode.reason)


def frozen_allowance_milliwh(
    meter: MeterInstalled, bad: Bad, span: timedelta, *, earlier: Episode | None = None
) -> int:
    """Return what may pass while an episode is open, however long it lasts; −1 where waiting changes nothing.

    It is what the supply could carry until then, or half of what the bad reading claims: less would hold true
    readings after an outage for ever, and all of the claim would be believed in the end. An episode that follows a
    dismissed one, with nothing billed between, lets no more pass than that did.
    """
    dismissed = earlier.allowance_milliwh if earlier is not None and earlier.is_dismissed else -1
    if bad.reason != "leap":
        return dismissed
    allowance = max(allowance_milliwh(meter, span), bad.claimed_milliwh // 2)
    return allowance if dismissed < 0 else min(allowance, dismissed)


def _gravity(reason: str) -> int:
    return 0 if reason in AWAITED else 2 if reason == "leap" else 1
