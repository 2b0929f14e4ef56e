"""What a supply point would have been charged under a draft tariff: its usage, its days, the close of its periods."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from console.tariffs.recorded import Span
from ledger.domain.closing import closed, closed_again, lived_in
from ledger.domain.occupancy import energy_until
from ledger.domain.snapshot import Price
from ledger.domain.supply import Supply
from ledger.domain.tariff import compiled, knows_class, prorated
from ledger.domain.time_due import DueClose, DueDays, due
from ledger.rating.components import NO_PRORATION
from ledger.rating.daily import rate_days
from ledger.rating.ladder import Part
from ledger.rating.lines import FRESH, Counters, Line, Rated
from ledger.rating.quantities import NO_QUANTITIES
from ledger.rating.rate import rate
from ledger.rating.usage import segment_usages

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Draft:
    """A tariff file that is not in force; `account_class` is every supply point's, their own where it is empty."""

    text: str
    account_class: str = ""

    def prices(self, supply: Supply) -> tuple[Price, ...]:
        """Return the draft as the supply point's prices, always in force, for the class and power of its terms."""
        starts = sorted(
            {row.occupied_from for row in supply.occupancies} | {row.effective_from for row in supply.terms}
        )
        return tuple(self._price(supply, start) for start in starts)

    def _price(self, supply: Supply, instant: datetime) -> Price:
        terms = supply.terms_at(instant)
        wanted = self.account_class or ("" if terms is None else terms.account_class)
        tariff = compiled(self.text, 0, wanted if knows_class(self.text, wanted) else "")
        occupancy = supply.occupancy_at(instant)
        if occupancy is not None and tariff.tariff.proration != NO_PRORATION:
            first = occupancy.occupied_from.astimezone(tariff.tariff.time_zone).date()
            tariff = prorated(tariff, Part(first=first))
        return Price(instant, tariff, 0 if terms is None else terms.contracted_w)


@dataclass(frozen=True, slots=True)
class Due:
    """What an account would have been charged for a time that ended at an instant; usage in milliwatt-hours."""

    account: str
    ended_at: datetime
    lines: Sequence[Line]
    energy_milliwh: int = 0


@dataclass(slots=True)
class Drafting:
    """A supply point under a draft, its occupancies with counters of the draft's own."""

    supply: Supply
    prices: tuple[Price, ...]
    counters: dict[int, Counters] = field(default_factory=dict)

    def charges(self, spans: Sequence[Span], *, after: date, through: date, known_at: datetime) -> Iterator[Due]:
        """Yield all charges in the order of the times that they are for; dates are local, and both may be due."""
        timed = due(self.prices, self.supply, after=after, through=through, known_at=known_at)
        steps: list[tuple[datetime, int, Span | DueDays | DueClose]] = [
            (self._midnight_after(one.price, one.last), 0, one) for one in timed
        ]
        steps += [(part.end, 1, part) for span in spans for part in self._of_occupancies(span)]
        for ended_at, _, step in sorted(steps, key=lambda row: row[:2]):
            if isinstance(step, Span):
                yield from self._usage(step)
            else:
                yield self._timed(step, ended_at)

    def _usage(self, span: Span) -> Iterator[Due]:
        number = self.supply.occupancy_number_at(span.start)
        price = next((one for one in reversed(self.prices) if one.starts <= span.start), None)
        if number < 0 or price is None or price.tariff is None:
            return
        tariff = price.tariff
        atoms = [atom for _, atom in segment_usages(tariff, span.usage(tariff))]
        rated = rate(tariff, self.counters.get(number, FRESH), atoms)
        if rated.counters.closed:
            rated = closed_again(self.prices, rated, {atom.period for atom in atoms})
        yield self._kept(number, rated, span.end, span.energy_milliwh)

    def _timed(self, step: object, ended_at: datetime) -> Due:
        if isinstance(step, DueDays):
            if step.price.tariff is None:
                raise AssertionError("days are due without a tariff")
            before = self.counters.get(step.occupancy, FRESH)
            power_w = step.price.contracted_w
            rated = rate_days(step.price.tariff, before, first=step.first, last=step.last, contracted_w=power_w)
            return self._kept(step.occupancy, rated, ended_at)
        if not isinstance(step, DueClose) or step.price.tariff is None:
            raise AssertionError(f"{step} is not due")
        since = self.supply.occupancies[step.occupancy].occupied_from
        part = lived_in(step.price.tariff.days, since=since)
        rated = closed(self.prices, self.counters.get(step.occupancy, FRESH), period=step.period, part=part)
        return self._kept(step.occupancy, rated, ended_at)

    def _kept(self, number: int, rated: Rated, ended_at: datetime, energy_milliwh: int = 0) -> Due:
        self.counters[number] = rated.counters
        return Due(self.supply.occupancies[number].account, ended_at, rated.lines, energy_milliwh)

    def _of_occupancies(self, span: Span) -> Iterator[Span]:
        """Cut a span where another occupant moved in meanwhile, whenever that was told."""
        cuts = [row.occupied_from for row in self.supply.occupancies if span.start < row.occupied_from < span.end]
        start, taken, quantities = span.start, 0, span.quantities
        for cut in cuts:
            upto = energy_until(cut, start=span.start, end=span.end, energy_milliwh=span.energy_milliwh)
            yield Span(start, cut, upto - taken, quantities)
            start, taken, quantities = cut, upto, NO_QUANTITIES
        yield replace(span, start=start, energy_milliwh=span.energy_milliwh - taken, quantities=quantities)

    def _midnight_after(self, price: Price, day: date) -> datetime:
        if price.tariff is None:
            raise AssertionError("days are due without a tariff")
        return price.tariff.days.midnight(day + _DAY)
