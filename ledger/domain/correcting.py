"""Interval usage that is replaced by better quality: what may be corrected, and the one event that does (pure).

The estimate is not taken back and billed anew for itself: everything billed from it on is rated again in the order in
which it was billed, so that each billing period ends as if the right figure had come first, blocks included. What
comes out differently is the correction (design I3: it names what it corrects, and rewrites nothing).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ledger.domain import intervals, occupancy, registers
from ledger.domain.billed import Billed, BilledHistory, BilledSpan, Figure, Item, Underivable
from ledger.domain.judging import Bad
from ledger.domain.meter import Difference, MeterState, Source, UsageCorrected
from ledger.domain.postings import correction_postings
from ledger.domain.snapshot import Price
from ledger.rating.lines import FRESH
from ledger.values.energy import text_from_milliwh
from ledger.wire import IntervalReading

# Better is higher.
_RANKS = {"unknown": 0, "estimated": 1, "substituted": 2, "measured": 3}


@dataclass(frozen=True, slots=True)
class Superseded:
    """The reading says what is known already: it is counted, nothing else."""


@dataclass(frozen=True, slots=True)
class Correction:
    """The reading replaces the figure of this span of the history."""

    number: int


def needs_history(covered: intervals.Spans, reading: IntervalReading, identity: UUID) -> bool:
    """Tell whether an interval can only be judged by what was billed before.

    One that supersedes a reading of its own span, of which nothing is billed, needs none: the reading that it
    replaces never became money, so this one does.
    """
    return reading.supersedes not in (None, identity) or intervals.overlaps(covered, reading)


def readings_of(reading: IntervalReading, identity: UUID) -> tuple[UUID, ...]:
    """Return the readings that must be known to judge an interval."""
    return (identity,) if reading.supersedes is None else (identity, reading.supersedes)


def figure_of(reading: IntervalReading, prices: Sequence[Price]) -> Figure:
    """Return an interval's figure, with what it says beside its energy of what is priced."""
    return Figure(reading.import_milliwh, reading.quality, registers.of_interval(reading, prices))


def judged(
    history: BilledHistory, reading: IntervalReading, identity: UUID, prices: Sequence[Price]
) -> Correction | Superseded | Bad:
    """Judge an interval that overlaps what is billed, or says that it replaces something."""
    number = history.find(identity)
    told = figure_of(reading, prices)
    if number is not None and told in history.usage(number).figures:
        return Superseded()
    if reading.supersedes not in (None, identity):
        return _of_another_span(history, reading)
    if number is None:
        return intervals.contradiction(None, reading)
    figure = history.usage(number).figure
    if reading.supersedes is not None and _RANKS[reading.quality] > _RANKS.get(figure.quality, 0):
        return Correction(number)
    if figure.says_the_same(told):
        return Superseded()
    is_plain = reading.supersedes is None
    return intervals.contradiction(figure.energy_milliwh, reading) if is_plain else _not_better(figure, reading)


def _of_another_span(history: BilledHistory, reading: IntervalReading) -> Bad:
    number = None if reading.supersedes is None else history.find(reading.supersedes)
    if number is None:
        detail = f"it supersedes reading {reading.supersedes}, which was never billed here"
    else:
        span = history.usage(number)
        detail = (
            f"it supersedes reading {reading.supersedes}, which is of {span.start.isoformat()} to"
            f" {span.end.isoformat()}; a correction is of the same meter and span"
        )
    return Bad("conflicting", detail, reading.import_milliwh)


def _not_better(figure: Figure, reading: IntervalReading) -> Bad:
    before, now = text_from_milliwh(figure.energy_milliwh), text_from_milliwh(reading.import_milliwh)
    detail = (
        f"it supersedes {before} kWh that were {figure.quality} with {now} kWh that are {reading.quality}: not of"
        " better quality"
    )
    return Bad("conflicting", detail, reading.import_milliwh)


@dataclass(frozen=True, slots=True)
class Correcting:
    """A correction with all that it is worked out from."""

    supply: str
    reading: IntervalReading
    source: Source
    state: MeterState
    prices: Sequence[Price]
    recorded_at: datetime

    def corrected(self, history: BilledHistory, number: int) -> UsageCorrected | Bad:
        """Put the new figure in force and return what that changes.

        What was billed must come out again first, to the last unit: where prices were changed under usage that was
        billed already, a difference would be more than the correction's, and the reading is held instead.
        """
        try:
            derived = history.counters(self.prices)
        except Underivable as error:
            return self._underivable(str(error))
        if not occupancy.agrees(self.state, derived):
            return self._underivable("the counters kept are not those that the debits lead to by today's prices")
        replaced = history.usage(number).figure
        told = figure_of(self.reading, self.prices)
        history.replace(number, told)
        rated = [] if replaced.says_the_same(told) else history.rerate(self.prices)
        return self._fact(history, number, replaced, rated)

    def _underivable(self, detail: str) -> Bad:
        return Bad("conflicting", f"what was billed cannot be rated again: {detail}", self.reading.import_milliwh)

    def _fact(
        self,
        history: BilledHistory,
        number: int,
        replaced: Figure,
        rated: Sequence[tuple[Billed, Mapping[Item, int]]],
    ) -> UsageCorrected:
        span, reading = history.usage(number), self.reading
        lines = differences(rated)
        usages = _usages(span, replaced, reading.import_milliwh)
        return UsageCorrected(
            supply=self.supply,
            account=span.account,
            meter=reading.meter,
            reading=span.reading,
            debit_version=span.version,
            started_at=reading.start,
            ended_at=reading.end,
            replaced_milliwh=replaced.energy_milliwh,
            replaced_quality=replaced.quality,
            usage_milliwh=reading.import_milliwh,
            quality=reading.quality,
            profile=reading.profile,
            raw=reading.raw,
            before=history.counters_before(number).get(span.parts[0].occupancy, FRESH),
            rerated=len(rated),
            lines=lines,
            amount_micros=sum(line.amount_micros for line in lines),
            postings=correction_postings(lines),
            source=self.source,
            state=occupancy.with_counters(
                self.state,
                occupancy.anew(self.state, history.counters(self.prices)),
                occupancy=self.state.occupancy,
                account=self.state.account,
            ),
            recorded_at=self.recorded_at,
            usages=usages,
            replaced_quantities=replaced.quantities,
            quantities=span.figure.quantities,
        )


def _usages(span: BilledSpan, replaced: Figure, now_milliwh: int) -> tuple[tuple[str, int], ...]:
    """Return the milliwatt-hours that each account has more; nothing where the span has one occupancy only."""
    if len(span.parts) == 1:
        return ()
    changes: dict[str, int] = {}
    bounds = [(part.starts, number) for number, part in enumerate(span.parts)]
    for sign, energy in ((-1, replaced.energy_milliwh), (1, now_milliwh)):
        for share in occupancy.shares(bounds, start=span.start, end=span.end, energy_milliwh=energy):
            account = span.parts[share.occupancy].account
            changes[account] = changes.get(account, 0) + sign * share.energy_milliwh
    return tuple(sorted(changes.items()))


def differences(rated: Sequence[tuple[Billed, Mapping[Item, int]]]) -> list[Difference]:
    """Sum up what debits that were rated again come to, against before; what is equal is left out."""
    reversed_micros: dict[Item, int] = {}
    rerated_micros: dict[Item, int] = {}
    for span, earlier in rated:
        for totals, amounts in ((reversed_micros, earlier), (rerated_micros, span.amounts)):
            for item, amount in amounts.items():
                totals[item] = totals.get(item, 0) + amount
    found: list[Difference] = []
    for item in sorted(reversed_micros.keys() | rerated_micros.keys()):
        was, comes = reversed_micros.get(item, 0), rerated_micros.get(item, 0)
        if was != comes:
            found.append(
                Difference(
                    account=item.account,
                    period=item.period,
                    component=item.component,
                    reversed_micros=was,
                    rerated_micros=comes,
                    amount_micros=comes - was,
                    tariff=item.tariff,
                    version=item.version,
                    tax=item.tax,
                    allowance=item.allowance,
                    at_payment=item.at_payment,
                )
            )
    return found
