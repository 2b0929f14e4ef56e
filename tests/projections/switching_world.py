"""A ledger in memory with a control and an edge, and beside them a plain model that knows only what people are owed.

The model reads no decision and no relay state: it is told what happened, in the order of the ledger, and says who may
be cut and who may be switched on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec

from ledger.domain import tariff as tariff_domain
from ledger.domain.account_facts import DisputeOpened, DisputeResolved
from ledger.domain.credit.facts import EmergencyCreditTaken
from ledger.domain.credit.policy import CreditPolicy, CreditPolicySet, FriendlyHours, FriendlyTimes
from ledger.domain.event import Event, Fact
from ledger.domain.local_hours import DayName
from ledger.domain.meter import UsageDebited
from ledger.domain.relay import CloseConsented, LockCleared, LockSet, LowBalanceWarned, OrderIssued, WarningCleared
from ledger.domain.supply import SupplyRegistered
from ledger.domain.switching_rules import SwitchingRules
from ledger.domain.tariff import TariffHistory
from ledger.store.log import Logged
from ledger.values.identity import relay_stream, tariff_stream
from ledger.values.signing import OrderSigner
from projections.balances import prepayment_of
from projections.batching import Batching
from projections.justify import picture_of, taken_again
from projections.order import OrderBook
from tests.projections.builders import (
    SITE,
    START,
    concluded,
    meter_installed,
    occupied,
    rules_set,
    settings_changed,
    stream_of,
    topped_up,
    usage_corrected,
    usage_debited,
)
from tests.projections.estate import LIFETIME, SIGNING_KEY

FLATS = ("flat-1", "flat-2", "flat-3")
EVERY_DAY: tuple[DayName, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
RULES = SwitchingRules(
    reading_age_s=7200, warning_lead_s=1800, least_on_s=300, gap_s=10_800, grace_s=14_400, silence_s=0, batch_least=9
)
# Nobody is cut from 22:00 to 06:00 (UTC).
NIGHTS = FriendlyTimes(hours=(FriendlyHours(days=EVERY_DAY, begin_minute=22 * 60, end_minute=6 * 60),))
CONSENT_LASTS = timedelta(minutes=15)


def account_of(flat: str) -> str:
    return f"of-{flat}"


@dataclass(slots=True)
class MemoryPast:
    """The first events of a list, as whoever justifies an order reads them."""

    log: list[Logged]
    position: int

    def stream(self, stream: UUID) -> Iterator[Logged]:
        return (event for event in self.log[: self.position] if event.stream == stream)

    def newest(self, stream: UUID) -> Fact | None:
        return next((event.fact for event in reversed(self.log[: self.position]) if event.stream == stream), None)

    def of_account(self, account: str) -> Iterator[Logged]:
        for event in self.log[: self.position]:
            if getattr(event.fact, "account", "") == account or account in prepayment_of(event.fact):
                yield event

    def tariff_of(self, code: str) -> TariffHistory | None:
        history: TariffHistory | None = None
        for event in self.stream(tariff_stream(code)):
            history = tariff_domain.evolve(history, event.fact)
        return history


@dataclass(slots=True)
class Household:
    """What the plain model knows of a household; amounts in micro-units."""

    balance: int = 0
    emergency: int = 0
    disputes: dict[str, int] = field(default_factory=dict)
    low_since: datetime | None = None
    read_at: datetime | None = None
    crossed_by: str = ""
    crossed_at: datetime = START
    locks: set[str] = field(default_factory=set)
    consented_at: datetime | None = None
    consent_stays: bool = False

    @property
    def usable(self) -> int:
        return self.balance + sum(self.disputes.values())

    def note(self, fact: Fact) -> None:
        """Take note of what happened to this household."""
        match fact:
            case DisputeOpened():
                self.disputes[fact.dispute] = fact.amount_micros
            case DisputeResolved():
                self.disputes.pop(fact.dispute)
            case EmergencyCreditTaken():
                self.emergency = fact.limit_micros
            case LowBalanceWarned():
                self.low_since = self.low_since or fact.recorded_at
            case WarningCleared():
                self.low_since = None
            case UsageDebited():
                self.read_at = max(fact.ended_at, self.read_at or fact.ended_at)
            case _:
                self._switch(fact)

    def _switch(self, fact: Fact) -> None:
        match fact:
            case LockSet():
                self.locks.add(fact.cause)
                self.consented_at = None
            case LockCleared():
                self.locks.discard(fact.cause)
                if not (self.consent_stays and fact.cause == "credit"):
                    self.consented_at = None
            case CloseConsented():
                self.consented_at, self.consent_stays = fact.recorded_at, fact.with_top_up
            case OrderIssued(action="open"):
                self.consented_at = None


@dataclass(slots=True)
class World:
    """Everything in memory; `tell` appends facts, `control` decides on a picture that others write past."""

    now: datetime = START
    log: list[Logged] = field(default_factory=list)
    versions: dict[UUID, int] = field(default_factory=dict)
    batching: Batching = field(default_factory=Batching)
    orders: OrderBook = field(default_factory=lambda: OrderBook(OrderSigner(SIGNING_KEY), LIFETIME))
    households: dict[str, Household] = field(default_factory=lambda: {flat: Household() for flat in FLATS})
    mode: str = "confirm"
    cut_at: int = 0
    is_friendly_at_night: bool = False
    on_the_way: list[OrderIssued] = field(default_factory=list)
    highest: dict[str, int] = field(default_factory=dict)
    relays_open: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(FLATS, False))
    issued: int = 0

    def __post_init__(self) -> None:
        self.tell(settings_changed(reconnection="confirm"), rules_set(RULES))
        for flat in FLATS:
            self.tell(
                SupplyRegistered(supply=flat, site=SITE, concentrator="conc-1", recorded_at=START),
                meter_installed(flat),
                occupied(flat, account_of(flat)),
                topped_up(account=account_of(flat), amount_micros=10_000_000),
            )

    def tell(self, *facts: Fact) -> None:
        for fact in facts:
            self._append(Event(stream_of(fact), self.versions.get(stream_of(fact), 0) + 1, fact))

    def _append(self, event: Event) -> None:
        version = self.versions.get(event.originator_id, 0) + 1
        assert event.originator_version == version
        self.versions[event.originator_id] = version
        self.log.append(Logged(len(self.log) + 1, event.originator_id, version, event.fact))
        self._note(event.fact)

    # What happens to people.

    def use(self, flat: str, amount: int, *, ended: datetime, over: timedelta) -> None:
        debit = usage_debited(supply=flat, account=account_of(flat), amount_micros=amount, at=ended)
        state = msgspec.structs.replace(debit.state, billed_to=self._billed_to(flat, ended))
        self.tell(msgspec.structs.replace(debit, started_at=ended - over, state=state, recorded_at=self.now))

    def _billed_to(self, flat: str, ended: datetime) -> datetime:
        """What comes late is billed, but what is billed never goes back behind it."""
        return max(ended, self.households[flat].read_at or ended)

    def correct(self, flat: str, amount: int) -> None:
        read_at = self.households[flat].read_at
        fact = usage_corrected(supply=flat, amounts_micros={account_of(flat): amount}, usage_milliwh=1, at=self.now)
        self.tell(msgspec.structs.replace(fact, state=msgspec.structs.replace(fact.state, billed_to=read_at)))

    def top_up(self, flat: str, amount: int, *, consent: bool) -> None:
        if consent and not self.households[flat].locks - {"credit"} and self.households[flat].locks:
            self.tell(
                CloseConsented(
                    supply=flat,
                    account=account_of(flat),
                    channel="kiosk",
                    with_top_up=True,
                    recorded_at=self.now,
                )
            )
        self.tell(topped_up(account=account_of(flat), amount_micros=amount, at=self.now))

    def consent(self, flat: str) -> None:
        if not self.households[flat].locks:
            self.tell(CloseConsented(supply=flat, account=account_of(flat), channel="app", recorded_at=self.now))

    def lock(self, flat: str, cause: str, *, is_set: bool) -> None:
        if is_set != (cause in self.households[flat].locks):
            kind = LockSet if is_set else LockCleared
            self.tell(
                kind(
                    supply=flat,
                    cause=cause,  # type: ignore[arg-type]
                    account=account_of(flat),
                    balance_micros=0,
                    ledger_position=0,
                    reason="works",
                    operator="ana",
                    recorded_at=self.now,
                )
            )

    def dispute(self, flat: str, amount: int) -> None:
        self.tell(
            DisputeOpened(
                account=account_of(flat),
                dispute=f"d-{uuid4().hex[:8]}",
                about_position=1,
                amount_micros=amount,
                reason="wrong",
                operator="ana",
                key_hash="",
                recorded_at=self.now,
            )
        )

    def resolve(self, flat: str) -> None:
        disputes = self.households[flat].disputes
        if disputes:
            dispute = next(iter(disputes))
            self.tell(
                DisputeResolved(
                    account=account_of(flat),
                    dispute=dispute,
                    amount_micros=disputes[dispute],
                    outcome="upheld",
                    reason="looked-at",
                    operator="ana",
                    key_hash="",
                    recorded_at=self.now,
                )
            )

    def take_emergency(self, flat: str) -> None:
        household = self.households[flat]
        if not household.emergency:
            self.tell(
                EmergencyCreditTaken(
                    account=account_of(flat),
                    limit_micros=5_000_000,
                    balance_micros=household.balance,
                    channel="app",
                    reason="",
                    operator="",
                    key_hash="",
                    recorded_at=self.now,
                )
            )

    def set_policy(self, *, cut_at: int, nights: bool) -> None:
        policy = CreditPolicy(
            warnings_micros=(5_000_000,), cut_at_micros=cut_at, friendly=NIGHTS if nights else FriendlyTimes()
        )
        self.tell(
            CreditPolicySet(site=SITE, effective_from=self.now, policy=policy, operator="ana", recorded_at=self.now)
        )
        for household in self.households.values():
            # A line that is raised over somebody's head is none of their usage.
            if (
                "credit" not in household.locks
                and cut_at - household.emergency >= household.balance > self.cut_at - household.emergency
            ):
                household.crossed_by, household.crossed_at = "something else", self.now
        self.cut_at, self.is_friendly_at_night = cut_at, nights

    def set_mode(self, mode: str) -> None:
        self.tell(settings_changed(reconnection=mode, effective_from=self.now, at=self.now))  # type: ignore[arg-type]
        self.mode = mode

    # What the machines do.

    def control(self, *, behind: int = 0) -> None:
        """Decide at the head on a picture taken so many events ago, and check every order by the plain model."""
        past = MemoryPast(self.log, max(len(self.log) - behind, 4 * len(FLATS) + 2))
        picture = picture_of(past, FLATS, now=self.now)
        picture.site_sizes = {SITE: len(FLATS)}
        picture.follow(self.log[past.position :])
        for event in self.batching.events_of(picture, self.orders, now=self.now):
            if isinstance(event.fact, OrderIssued):
                self._check(event.fact)
                self.on_the_way.append(event.fact)
            self._append(event)

    def deliver(self, number: int, *, is_obeyed: bool = True) -> None:
        """Let the edge have one of the orders under way, whichever comes first; it goes by sequence and expiry."""
        if not self.on_the_way:
            return
        order = self.on_the_way.pop(number % len(self.on_the_way))
        if order.sequence <= self.highest.get(order.supply, 0):
            outcome = "superseded"
        elif self.now >= order.expires_at:
            outcome = "expired"
        else:
            outcome = "confirmed" if is_obeyed else "failed"
        self.highest[order.supply] = max(order.sequence, self.highest.get(order.supply, 0))
        if outcome == "confirmed":
            assert order.action == "close" or order.reason != "no-credit" or not self._is_night(self.now)
            self.relays_open[order.supply] = order.action == "open"
        self.tell(concluded(order, outcome, at=self.now))  # type: ignore[arg-type]

    # The plain model.

    def _note(self, fact: Fact) -> None:
        for flat, household in self.households.items():
            change = prepayment_of(fact).get(account_of(flat), 0)
            before = household.balance
            household.balance += change
            if change:
                self._cross(household, fact, before)
        flat = getattr(fact, "supply", "") or getattr(fact, "account", "").removeprefix("of-")
        if flat in self.households:
            self.households[flat].note(fact)

    def _cross(self, household: Household, fact: Fact, before: int) -> None:
        """Remember what brought a household from above its line to it: plain usage, or something that grants time.

        By the balance: while what is disputed counts as well, nobody is cut.
        """
        line = self.cut_at - household.emergency
        if "credit" in household.locks:
            # Off by right, and until there is enough: what goes on meanwhile gives no time.
            household.crossed_by = ""
        elif before > line >= household.balance:
            household.crossed_by = _kind_of(fact)
            household.crossed_at = self.now
        elif household.balance > line:
            # Above the line again: what crossed it before has nothing to do with what may cross it next.
            household.crossed_by = ""

    def _is_night(self, instant: datetime) -> bool:
        return self.is_friendly_at_night and not 6 <= instant.hour < 22

    def _check(self, order: OrderIssued) -> None:
        self.issued += 1
        household = self.households[order.supply]
        if order.action == "open":
            self._check_open(order, household)
        else:
            self._check_close(household)
        told = [event for event in self.log if event.stream == relay_stream(order.supply)]
        found = taken_again(MemoryPast(self.log, order.ledger_position), order, told)
        assert found.holds, found.differences

    def _check_open(self, order: OrderIssued, household: Household) -> None:
        assert order.reason != "no-credit" or household.usable <= self.cut_at - household.emergency
        if order.reason != "no-credit":
            assert household.locks - {"credit"}
            return
        assert not household.disputes
        assert not self._is_night(self.now)
        assert not self._is_night(order.expires_at - timedelta(microseconds=1))
        assert household.read_at is not None
        assert self.now - household.read_at < timedelta(seconds=RULES.reading_age_s)
        assert household.low_since is not None
        assert self.now - household.low_since >= timedelta(seconds=RULES.warning_lead_s)
        if household.crossed_by == "something else":
            assert self.now - household.crossed_at >= timedelta(seconds=RULES.grace_s)

    def _check_close(self, household: Household) -> None:
        assert not household.locks
        assert self.mode != "arm"
        if self.mode == "confirm":
            assert household.consented_at is not None
            assert self.now < household.consented_at + CONSENT_LASTS


def _kind_of(fact: Fact) -> str:
    if isinstance(fact, UsageDebited) and fact.ended_at - fact.started_at <= timedelta(seconds=RULES.gap_s):
        return "usage"
    return "something else" if fact.topic.startswith("meter.") else "money"
