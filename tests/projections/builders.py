"""Facts of a small estate, named as its people would name them, and a ledger that they are written to.

A `Story` keeps the versions of the streams; amounts are in micro-units, energies in milliwatt-hours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ledger.domain import chart
from ledger.domain.account import AccountCredited, AccountOpened
from ledger.domain.books import MonthClosed
from ledger.domain.event import Event, Fact
from ledger.domain.meter import Difference, Episode, MeterState, ReadingHeld, Source, UsageCorrected, UsageDebited
from ledger.domain.postings import correction_postings, debit_postings, top_up_postings
from ledger.domain.relay import CloseConsented, LockSet, OrderConcluded, OrderIssued
from ledger.domain.site import Reconnection, SiteSettingsChanged
from ledger.domain.supply import MeterInstalled, SupplyOccupied, SupplyRegistered
from ledger.domain.switching_rules import SwitchingRules, SwitchingRulesSet
from ledger.domain.tariff import TariffPublished
from ledger.rating.lines import Counters, Line
from ledger.store.application import Ledger
from ledger.values import identity
from ledger.wire import RelayOutcome
from tests.ledger.autopay_facts import AUTOPAY_FACTS
from tests.ledger.money_facts import MONEY_FACTS
from tests.projections.life import a_life

START = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
SITE = "riverside"
# Rules under which a decision has nothing to wait for.
AT_ONCE = SwitchingRules(reading_age_s=0, warning_lead_s=0, least_on_s=0, gap_s=0, grace_s=0, silence_s=0)


def source(*, published_at: datetime = START, offset: int = 0) -> Source:
    return Source(partition=0, message_offset=offset, published_at=published_at, collector="edge-1", sequence=1)


def usage_debited(
    *,
    supply: str,
    account: str,
    amount_micros: int,
    usage_milliwh: int = 1_000_000,
    episode: Episode | None = None,
    at: datetime = START,
) -> UsageDebited:
    tax_micros = amount_micros // 6
    lines = [
        Line(
            component="energy", quantity="1", unit="kWh", price="1", amount_micros=amount_micros - tax_micros,
            tariff="flat", version=1,
        ),
        Line(
            component="vat", quantity="1", unit="%", price="20", amount_micros=tax_micros, tariff="flat", version=1,
            tax=True,
        ),
    ]  # fmt: skip
    return UsageDebited(
        supply=supply,
        account=account,
        meter=f"meter-of-{supply}",
        reading=identity.reading_id(meter=supply, registers="import", read_at=at),
        started_at=at - timedelta(minutes=5),
        ended_at=at,
        usage_milliwh=usage_milliwh,
        quality="measured",
        profile="acrel_ddsy1352",
        raw="",
        before=Counters(),
        lines=lines,
        amount_micros=amount_micros,
        postings=debit_postings(account=account, lines=lines),
        source=source(published_at=at),
        state=MeterState(episode=episode),
        recorded_at=at,
    )


def usage_corrected(
    *,
    supply: str,
    amounts_micros: Mapping[str, int],
    usage_milliwh: int,
    replaced_milliwh: int = 1_000_000,
    episode: Episode | None = None,
    at: datetime = START,
) -> UsageCorrected:
    """A correction that costs each account so much more or less; the first is the one that the debit named."""
    lines = [
        Difference(account, "2026-06", "energy", 0, amount, amount, "flat", 1)
        for account, amount in amounts_micros.items()
        if amount
    ]
    return UsageCorrected(
        supply=supply,
        account=next(iter(amounts_micros)),
        meter=f"meter-of-{supply}",
        reading=identity.reading_id(meter=supply, registers="import", read_at=at),
        debit_version=1,
        started_at=at - timedelta(minutes=5),
        ended_at=at,
        replaced_milliwh=replaced_milliwh,
        replaced_quality="estimated",
        usage_milliwh=usage_milliwh,
        quality="measured",
        profile="acrel_ddsy1352",
        raw="",
        before=Counters(),
        rerated=1,
        lines=lines,
        amount_micros=sum(amounts_micros.values()),
        postings=correction_postings(lines),
        source=source(published_at=at),
        state=MeterState(episode=episode),
        recorded_at=at,
    )


def topped_up(*, account: str, amount_micros: int, at: datetime = START) -> AccountCredited:
    return AccountCredited(
        account=account,
        amount_micros=amount_micros,
        channel="counter",
        reference_hash="",
        key_hash="",
        postings=top_up_postings(account=account, channel="counter", amount_micros=amount_micros),
        recorded_at=at,
    )


def episode_of(supply: str, at: datetime) -> Episode:
    """The episode that a held reading of this time opens."""
    reading = identity.reading_id(meter=supply, registers="import", read_at=at)
    return Episode(reason="backwards", reading=reading, opened_at=at, register_milliwh=0, allowance_milliwh=-1)


def reading_held(
    *, supply: str, claimed_milliwh: int = 7_000, opens_episode: bool = True, at: datetime = START
) -> ReadingHeld:
    return ReadingHeld(
        supply=supply,
        meter=f"meter-of-{supply}",
        reading=identity.reading_id(meter=supply, registers="import", read_at=at),
        reason="backwards",
        detail="the register\tfell\nby 7 Wh",
        read_at=at,
        claimed_milliwh=claimed_milliwh,
        quality="measured",
        profile="acrel_ddsy1352",
        raw="",
        source=source(),
        state=MeterState(episode=episode_of(supply, at) if opens_episode else None),
        recorded_at=at,
    )


def settings_changed(
    *,
    site: str = SITE,
    reconnection: Reconnection = "automatic",
    warning_balance_micros: int = 5_000_000,
    effective_from: datetime = START,
    at: datetime = START,
) -> SiteSettingsChanged:
    return SiteSettingsChanged(
        site=site,
        effective_from=effective_from,
        reconnection=reconnection,
        warning_balance_micros=warning_balance_micros,
        recorded_at=at,
    )


def rules_set(
    rules: SwitchingRules = AT_ONCE, *, effective_from: datetime = START, at: datetime = START
) -> SwitchingRulesSet:
    return SwitchingRulesSet(site=SITE, effective_from=effective_from, rules=rules, operator="ana", recorded_at=at)


def tariff_published(*, version: int = 1, at: datetime = START) -> TariffPublished:
    """No read model takes any notice of it."""
    return TariffPublished(tariff="flat", version=version, effective_from=at, text="", note="", recorded_at=at)


def meter_installed(supply: str, *, measures: str = "register", at: datetime = START) -> MeterInstalled:
    return MeterInstalled(
        supply=supply,
        meter=f"meter-of-{supply}",
        profile="acrel_ddsy1352",
        installed_at=at,
        opening_milliwh=0,
        max_power_w=15_000,
        measures="interval" if measures == "interval" else "register",
        recorded_at=at,
    )


def occupied(supply: str, account: str, *, occupied_from: datetime = START, at: datetime = START) -> SupplyOccupied:
    return SupplyOccupied(
        supply=supply, account=account, occupied_from=occupied_from, opening_milliwh=0, recorded_at=at
    )


def concluded(
    order: OrderIssued, outcome: RelayOutcome, *, readback: str | None = None, at: datetime
) -> OrderConcluded:
    done = "open" if order.action == "open" else "closed"
    read = readback or (done if outcome == "confirmed" else "unknown")
    return OrderConcluded(
        supply=order.supply,
        order=order.order,
        sequence=order.sequence,
        outcome=outcome,
        readback="open" if read == "open" else "closed" if read == "closed" else "unknown",
        concluded_at=at,
        recorded_at=at,
    )


def operator_locked(supply: str, account: str, *, at: datetime) -> LockSet:
    return LockSet(
        supply=supply, cause="operator", account=account, balance_micros=0, ledger_position=0, recorded_at=at
    )


def stream_of(fact: Fact) -> UUID:
    kind = fact.topic.partition(".")[0]
    if kind == "books":
        return identity.books_stream()
    named = {
        "supply": (identity.supply_stream, "supply"),
        "meter": (identity.meter_stream, "supply"),
        "relay": (identity.relay_stream, "supply"),
        "account": (identity.account_stream, "account"),
        "agent": (identity.agent_stream, "agent"),
        "autopay": (identity.autopay_stream, "account"),
        "tariff": (identity.tariff_stream, "tariff"),
        "site": (identity.site_stream, "site"),
        "proposal": (identity.proposal_stream, "proposal"),
        "receipt": (identity.receipt_stream, "receipt" if hasattr(fact, "receipt") else "channel"),
        "cuts": (identity.cuts_stream, "site"),
        "policy": (lambda _: identity.POLICY_STREAM, "site"),
    }
    stream, key = named[kind]
    return stream(getattr(fact, key))


@dataclass(slots=True)
class Story:
    """Writes facts to a ledger, each as the next of its stream."""

    url: str
    versions: dict[UUID, int] = field(default_factory=dict)

    def tell(self, *facts: Fact) -> int:
        """Append facts in one transaction and return the position of the last."""
        with Ledger(url=self.url) as ledger:
            return ledger.append(*(self._event(fact) for fact in facts))

    def tell_each(self, facts: Sequence[Fact], *, at_once: int = 200) -> None:
        for first in range(0, len(facts), at_once):
            self.tell(*facts[first : first + at_once])

    def move_in(self, supply: str, account: str, *, credit_micros: int = 0, measures: str = "register") -> int:
        """A supply point with its meter and an account that occupies it, topped up where a credit is given."""
        facts: list[Fact] = [
            SupplyRegistered(supply=supply, site=SITE, concentrator="conc-1", recorded_at=START),
            meter_installed(supply, measures=measures),
            AccountOpened(account=account, site=SITE, currency="EUR", recorded_at=START),
            occupied(supply, account),
        ]
        if credit_micros:
            facts.append(topped_up(account=account, amount_micros=credit_micros))
        return self.tell(*facts)

    def used_up(self, supply: str, account: str, *, credit_micros: int = 20_000_000, left_micros: int = 0) -> int:
        """A household on a site with settings that has used all of its credit but for what is left."""
        self.tell(settings_changed(), rules_set())
        self.move_in(supply, account, credit_micros=credit_micros)
        return self.tell(usage_debited(supply=supply, account=account, amount_micros=credit_micros - left_micros))

    def wrote_elsewhere(self, stream: UUID, version: int) -> None:
        """Take note of what another process wrote to a stream."""
        self.versions[stream] = version

    def _event(self, fact: Fact) -> Event:
        stream = stream_of(fact)
        self.versions[stream] = self.versions.get(stream, 0) + 1
        return Event(stream, self.versions[stream], fact)


def a_busy_month(*, households: int = 4) -> list[Fact]:
    """Facts of every kind in an order that could be: usage, top-ups, holds, relays switched, a tariff ignored."""
    facts: list[Fact] = [settings_changed(), tariff_published()]
    for number in range(households):
        supply, account = f"flat-{number}", f"household-{number}"
        facts += [
            SupplyRegistered(supply=supply, site=SITE, concentrator="conc-1", building="A", recorded_at=START),
            meter_installed(supply),
            AccountOpened(account=account, site=SITE, currency="EUR", recorded_at=START),
            occupied(supply, account),
        ]
    for day in range(6):
        at = START + timedelta(days=day, hours=5 * day)
        if day == 3:
            # What was used in June and comes now is July's in the books.
            facts.append(MonthClosed(month="2026-06", zone="Asia/Shanghai", operator="ana", recorded_at=at))
            late = START - timedelta(days=1)
            facts.append(usage_debited(supply="flat-0", account="household-0", amount_micros=77_777, at=late))
        for number in range(households):
            supply, account = f"flat-{number}", f"household-{number}"
            facts.append(topped_up(account=account, amount_micros=1_000_001 * (number + 1), at=at))
            facts.append(usage_debited(supply=supply, account=account, amount_micros=333_333 * (day + 1), at=at))
        # What is corrected may move no money, or that of two accounts.
        given_back = {"household-3": -1_001 * day, "household-2": 7 * day}
        facts.append(usage_corrected(supply="flat-3", amounts_micros=given_back, usage_milliwh=999_000, at=at))
        # Episodes open, are taken over, and end with the next day's debit; an interval stands for itself.
        facts.append(reading_held(supply="flat-0", at=at))
        facts.append(reading_held(supply="flat-0", at=at + timedelta(hours=1)))
        facts.append(reading_held(supply="flat-2", opens_episode=False, at=at))
        facts += _switched_off_and_on("flat-1", "household-1", first_version=5 * day + 1, at=at)
    last = START + timedelta(days=6)
    held = reading_held(supply="flat-2", opens_episode=False, at=last)
    facts += a_life(held, former="household-2", following="household-3", at=last)
    facts.append(settings_changed(reconnection="confirm", at=last))
    facts.append(CloseConsented(supply="flat-1", account="household-1", channel="app", recorded_at=last))
    facts += MONEY_FACTS
    facts += AUTOPAY_FACTS
    return facts


def _switched_off_and_on(supply: str, account: str, *, first_version: int, at: datetime) -> list[Fact]:
    opened = order_issued(supply, account, "open", sequence=first_version + 1, at=at)
    closed = order_issued(supply, account, "close", sequence=first_version + 3, at=at)
    return [
        operator_locked(supply, account, at=at),
        opened,
        concluded(opened, "confirmed", at=at),
        closed,
        concluded(closed, "failed", at=at),
    ]


def order_issued(supply: str, account: str, action: str, *, sequence: int, at: datetime) -> OrderIssued:
    return OrderIssued(
        supply=supply,
        order=identity.order_id(supply=supply, sequence=sequence),
        sequence=sequence,
        action="open" if action == "open" else "close",
        reason="no-credit",
        concentrator="conc-1",
        meter=f"meter-of-{supply}",
        account=account,
        balance_micros=0,
        ledger_position=1,
        issued_at=at,
        expires_at=at + timedelta(seconds=120),
        signature="00",
        recorded_at=at,
    )


def revenue_codes() -> set[str]:
    return {chart.revenue("energy"), chart.tax_payable("vat")}
