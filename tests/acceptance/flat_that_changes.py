"""A flat in which everything changes: its meter, its people, its readings' standing, and the days that it is charged.

Beside the ledger stand plain books: spans of energy between two registers, each with who lived there then.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from ledger import wire
from ledger.store.application import Ledger
from ledger.usecases.accounts import open_account
from ledger.usecases.holds import resolve_hold
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import MeterFacts, assign_tariff, install_meter, occupy, register_supply
from ledger.usecases.supply_life import exchange_meter, move_in, move_out
from ledger.usecases.tariffs import publish_tariff
from ledger.values.errors import LedgerError, Refused
from tests.acceptance.plain_books import PlainBooks, Usage, end_of, month_of
from tests.ledger.builders import tariff_text

SINCE = datetime(2026, 1, 20, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FLAT = "flat-3"
TENANTS, LANDLORD = ("tenant-3", "tenant-4"), "landlord"
PEOPLE = (*TENANTS, LANDLORD)
MAX_POWER_W = 10_000
MOST_PER_HOUR = MAX_POWER_W * 1_000
STANDING = '[[charges]]\ncomponent = "standing"\nkind = "daily"\nprice_per_day = "0.50"\n[[taxes]]'

shares = st.integers(0, 1_000)


@dataclass
class Flat:
    """What is known of the flat: who lived there since when, and what its register showed."""

    people: list[tuple[str, datetime]] = field(default_factory=lambda: [(TENANTS[0], SINCE)])
    spans: list[Usage] = field(default_factory=list)
    meter: str = f"{FLAT}-m0"
    register_milliwh: int = 0
    read_at: datetime = SINCE
    charged_to: date | None = None
    exchanged_at: datetime = SINCE
    exchanges: int = 0

    @property
    def counters(self) -> str:
        """Whose counters go up now: every occupancy has its own."""
        return f"{self.people[-1][0]}#{len(self.people)}"

    def register_at(self, at: datetime, share: int) -> int:
        """The register at an instant: in a span, somewhere between its ends."""
        span = next((one for one in self.spans if one.start < at < one.end), None)
        if span is not None:
            return span.opening_milliwh + span.milliwh * share // 1_000
        later = [one for one in self.spans if one.start >= at]
        return later[0].opening_milliwh if later else self.register_milliwh


class FlatThatChanges(RuleBasedStateMachine):
    """Rules of the third flat; what they need of the ledger is the machine's that has them."""

    ledger: Ledger
    books: PlainBooks
    now: datetime
    _sweep: Callable[[wire.Reading], None]
    _tick: Callable[[date], None]
    _is_refused: Callable[[type[LedgerError], Callable[[], Any]], None]
    _changes_no_money: Callable[[Callable[[], Any]], Any]
    _newest_hold: Callable[[], int]

    def __init__(self) -> None:
        super().__init__()
        self.flat = Flat()

    def furnish(self) -> None:
        text = tariff_text(zone="UTC", code="timed").replace("[[taxes]]", STANDING)
        publish_tariff(self.ledger, text=text, effective_from=SINCE, note="", now=SINCE)
        for account in PEOPLE:
            open_account(self.ledger, account=account, site="north", currency="CNY", now=SINCE)
        change_site_settings(self.ledger, site="north", effective_from=SINCE, landlord=LANDLORD, now=SINCE)
        register_supply(self.ledger, supply=FLAT, site="north", concentrator="c1", now=SINCE)
        install_meter(
            self.ledger,
            supply=FLAT,
            meter=MeterFacts(serial=self.flat.meter, profile="acrel_ddsy1352", max_power_w=MAX_POWER_W),
            installed_at=SINCE,
            opening_milliwh=0,
            now=SINCE,
        )
        occupy(self.ledger, supply=FLAT, account=TENANTS[0], occupied_from=SINCE, opening_milliwh=0, now=SINCE)
        assign_tariff(self.ledger, supply=FLAT, tariff="timed", effective_from=SINCE, now=SINCE)

    @precondition(lambda self: self.now > self.flat.read_at)
    @rule(share=shares)
    def the_third_flat_is_read(self, share: int) -> None:
        self._reads_to_this_month(share)
        self._reads(self.now, share)

    @precondition(lambda self: self.now > self.flat.read_at)
    @rule(share=shares, opening=st.integers(0, 10**9), is_read=st.booleans())
    def the_meter_is_exchanged(self, share: int, opening: int, is_read: bool) -> None:
        """For the one before the last, every other time: a meter that was removed may come again."""
        self._reads_to_this_month(share)
        flat, used = self.flat, self._used(self.now, share) if is_read else 0
        closing = flat.register_milliwh + used
        if is_read:
            self._uses(self.now, used)
        flat.exchanges += 1
        flat.meter = f"{FLAT}-m{flat.exchanges % 2}"
        meter = MeterFacts(serial=flat.meter, profile="acrel_ddsy1352", max_power_w=MAX_POWER_W)
        exchange_meter(
            self.ledger,
            supply=FLAT,
            meter=meter,
            at=self.now,
            closing_milliwh=closing if is_read else None,
            opening_milliwh=opening,
            now=self.now,
        )
        flat.register_milliwh, flat.read_at, flat.exchanged_at = opening, self.now, self.now
        self._sweep(self._reading())

    @precondition(lambda self: self.flat.spans)
    @rule()
    def an_exchange_told_too_late_is_refused(self) -> None:
        at = max(self.flat.spans[-1].end, self.flat.exchanged_at) - timedelta(seconds=1)
        meter = MeterFacts(serial="another", profile="acrel_ddsy1352", max_power_w=MAX_POWER_W)

        def exchange() -> None:
            exchange_meter(
                self.ledger, supply=FLAT, meter=meter, at=at, closing_milliwh=0, opening_milliwh=0, now=self.now
            )

        self._is_refused(Refused, exchange)

    @rule(back=st.integers(0, 500), share=shares, who=st.sampled_from(PEOPLE), is_read=st.booleans())
    def people_move(self, back: int, share: int, who: str, is_read: bool) -> None:
        """Told now or long after: what was charged since goes over to who lived there."""
        at = self.now - back * HOUR
        flat = self.flat
        former, since = flat.people[-1]
        if at <= since or who == former:
            self._is_refused(Refused, lambda: self._tell_move(who if who != former else former, at, None))
            return
        inside = any(one.start < at < one.end for one in flat.spans)
        later = at > flat.read_at
        register = flat.register_at(at, share) if is_read or inside else None
        if later:
            self._reads_to_this_month(share, until=at)
            used = self._used(at, share)
            register = flat.register_milliwh + used
            self._uses(at, used)
        self._tell_move(who, at, register)
        self._hand_over(who, at, register)
        if self.now > flat.read_at:
            self._reads_to_this_month(share)
            self._reads(self.now, share)
        else:
            self._sweep(self._reading())

    @precondition(lambda self: self.now > self.flat.read_at)
    @rule(share=shares, extra=st.integers(1, 10**9), release=st.booleans())
    def a_leap_is_held_and_decided_on(self, share: int, extra: int, release: bool) -> None:
        self._reads_to_this_month(share)
        flat = self.flat
        if self.now == flat.read_at or month_of(self.now + HOUR) != month_of(flat.read_at):
            return
        hours = (self.now - flat.read_at) // HOUR
        leap = flat.register_milliwh + (hours + 1) * MOST_PER_HOUR * 3 + extra
        self._changes_no_money(lambda: self._sweep(self._reading(leap)))
        self._decides("release" if release else "dismiss")
        held_at, self.now = self.now, self.now + HOUR
        if release:
            self._uses(held_at, leap - flat.register_milliwh)
        # A dismissed leap limits what may pass until something is billed.
        self._reads(self.now, min(max(share, 100), 900))

    @rule()
    def a_day_has_ended(self) -> None:
        """Everything that was not charged yet is charged with it."""
        through = self.now.date() - DAY
        flat = self.flat
        day = SINCE.date() if flat.charged_to is None else flat.charged_to + DAY
        charged: dict[tuple[int, str], list[date]] = {}
        while day <= through:
            number = self._lived_throughout(day)
            if number is not None:
                charged.setdefault((number, f"{day:%Y-%m}"), []).append(day)
            flat.charged_to, day = day, day + DAY
        self._tick(through)
        for (number, month), days in charged.items():
            self.books.charge_days(
                flat.people[number][0], days=len(days), month=month, ended=_midnight(days[-1] + DAY), now=self.now
            )

    def _lived_throughout(self, day: date) -> int | None:
        moves = [since for _, since in self.flat.people]
        number = max(index for index, since in enumerate(moves) if since <= _midnight(day))
        ends = moves[number + 1] if number + 1 < len(moves) else None
        return number if ends is None or ends >= _midnight(day + DAY) else None

    def _tell_move(self, who: str, at: datetime, register: int | None) -> None:
        if who == LANDLORD:
            move_out(self.ledger, supply=FLAT, at=at, register_milliwh=register, now=self.now)
        else:
            move_in(self.ledger, supply=FLAT, account=who, at=at, register_milliwh=register, now=self.now)

    def _hand_over(self, who: str, at: datetime, register: int | None) -> None:
        """Give the next one all that was charged after they moved in; a span is cut at the register."""
        flat, giver = self.flat, self.flat.counters
        days = 0 if flat.charged_to is None else self._days_of_newest(flat.charged_to)
        flat.people.append((who, at))
        taker_days = 0 if flat.charged_to is None else self._days_of_newest(flat.charged_to)
        giver_days = days - self._days_of(len(flat.people) - 2, flat.charged_to)
        moved: dict[str, int] = {}
        spans: list[Usage] = []
        for span in flat.spans:
            if span.start < at < span.end:
                assert register is not None
                spans += span.cut(at, register)
            else:
                spans.append(span)
        for span in spans:
            if span.start >= at:
                moved[span.month] = moved.get(span.month, 0) + span.milliwh
        flat.spans = spans
        self.books.hand_over(
            giver=giver,
            taker=flat.counters,
            moved_milliwh=moved,
            giver_days=giver_days,
            taker_days=taker_days,
            at=at,
            now=self.now,
        )

    def _days_of_newest(self, through: date) -> int:
        return self._days_of(len(self.flat.people) - 1, through)

    def _days_of(self, number: int, through: date | None) -> int:
        day, found = SINCE.date(), 0
        while through is not None and day <= through:
            found += self._lived_throughout(day) == number
            day += DAY
        return found

    def _decides(self, resolution: Any) -> None:
        position = self._newest_hold()
        resolve_hold(
            self.ledger, position=position, resolution=resolution, operator="li", reason="seen-on-site", now=self.now
        )

        def again() -> None:
            resolve_hold(
                self.ledger, position=position, resolution="dismiss", operator="li", reason="test", now=self.now
            )

        self._is_refused(Refused, again)

    def _reads_to_this_month(self, share: int, until: datetime | None = None) -> None:
        """Read at every month's end on the way, as a meter's own memory tells it."""
        while (ends := end_of(month_of(self.flat.read_at))) < (until or self.now):
            self._reads(ends, share)

    def _used(self, until: datetime, share: int) -> int:
        return (until - self.flat.read_at) // HOUR * MOST_PER_HOUR * share // 1_000

    def _reads(self, at: datetime, share: int) -> None:
        used = self._used(at, share)
        self._sweep(self._reading(self.flat.register_milliwh + used, at))
        self._uses(at, used)

    def _uses(self, until: datetime, used: int) -> None:
        flat = self.flat
        if used:
            flat.spans.append(Usage(flat.read_at, until, flat.register_milliwh, used))
            account, counters = flat.people[-1][0], flat.counters
            month = month_of(flat.read_at)
            self.books.use(account, change_milliwh=used, month=month, ended=until, now=self.now, counters=counters)
        flat.register_milliwh += used
        flat.read_at = until

    def _reading(self, register: int | None = None, at: datetime | None = None) -> wire.Reading:
        shown = self.flat.register_milliwh if register is None else register
        return wire.Reading(
            register=wire.RegisterReading(meter=self.flat.meter, read_at=at or self.now, import_milliwh=shown)
        )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
