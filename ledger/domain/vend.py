"""From an amount to a token: the days that are due first, then as many units as what is left pays for (pure)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from ledger.domain import moving, ticking
from ledger.domain.closing import closed_again
from ledger.domain.event import Event
from ledger.domain.judging import Bad
from ledger.domain.metering import Draft, Metering, Taker, begin
from ledger.domain.postings import debit_postings
from ledger.domain.spans import periods_between, rated_span, span_of
from ledger.domain.supply import Supply
from ledger.domain.token_billing import MOST_UNITS
from ledger.domain.vending import EnergyVended, TokenIssued, TokenKind, next_count, no_message
from ledger.rating.lines import Rated
from ledger.rating.quote import quote
from ledger.rating.rate import CompiledTariff
from ledger.values.errors import Refused
from ledger.values.money import text_from_micros

# Nowhere has a date begun that is later than this from UTC.
_EASTERNMOST = timedelta(hours=14)
# Where a charge falls as energy rises, fewer units may cost more than more did; so far it is looked for what fits.
_MOST_TRIED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Vending:
    """Who issues, and under which key."""

    operator: str
    key_hash: str


class Vend:
    """One supply point's tokens on their way into a draft; `brought_up` must come first."""

    def __init__(self, draft: Draft, metering: Metering, supply: Supply, *, now: datetime) -> None:
        if supply.tokens is None or supply.meter is None:
            raise AssertionError(f"supply {supply.code} has no meter that is billed by token")
        self.draft = draft
        self.metering = metering
        self.supply = supply
        self.tokens = supply.tokens
        self.now = now
        self.source = no_message(now)
        self.taker = Taker(draft, metering, supply, supply.meter, self.source)
        self.prices = draft.snapshot.prices_of(supply)

    def bring_up(self) -> int:
        """Let who occupies it now have the counters, and charge the days that are over; return what those come to.

        In micro-units, of the account that occupies it now.
        """
        begin(self.metering, self.supply)
        number = self.supply.occupancy_number_at(self.now)
        ticking.take_tick(
            self.draft, self.metering, self.supply, through=(self.now + _EASTERNMOST).date(), source=self.source
        )
        moving.close_until(self.taker, number, self.source)
        account = self.supply.occupancies[number].account
        return sum(_charged(event, account) for event in self.draft.events)

    def add(self, amount_micros: int, by: Vending) -> EnergyVended:
        """Draft the token that an amount pays for; raises Refused where it does not pay for a single unit."""
        tariff = self._tariff()
        quoted = quote(tariff, self.metering.state.counters, amount_micros=amount_micros, at=self.now)
        units = min(quoted.energy_milliwh // self.tokens.unit_milliwh, MOST_UNITS[self.tokens.size])
        rated = self._rated(units)
        tried = 0
        while units and rated.amount_micros > amount_micros and tried < _MOST_TRIED:
            units, tried = units - 1, tried + 1
            rated = self._rated(units)
        if not units or rated.amount_micros > amount_micros:
            raise Refused(
                f"{text_from_micros(amount_micros)} buys less than one unit of"
                f" {self.tokens.unit_milliwh // 1_000} Wh at {self.supply.code}; top more up first"
            )
        state, account = self.metering.state, self._account()
        count = next_count(state.token_count, adds=True)
        after = msgspec.structs.replace(state, counters=rated.counters, token_count=count)
        fact = EnergyVended(
            supply=self.supply.code,
            account=account,
            meter=self.taker.meter.meter,
            count=count,
            units=units,
            unit_milliwh=self.tokens.unit_milliwh,
            usage_milliwh=units * self.tokens.unit_milliwh,
            vended_at=self.now,
            before=state.counters,
            lines=rated.lines,
            amount_micros=rated.amount_micros,
            postings=debit_postings(account=account, lines=rated.lines),
            operator=by.operator,
            key_hash=by.key_hash,
            source=self.source,
            state=after,
            occupancy=state.occupancy,
            recorded_at=self.now,
        )
        self.taker.append(fact, after)
        return fact

    def tell(self, kind: TokenKind, units: int, reason: str, by: Vending) -> TokenIssued:
        """Draft a token that moves no money."""
        begin(self.metering, self.supply)
        count = next_count(self.metering.state.token_count, adds=False)
        after = msgspec.structs.replace(self.metering.state, token_count=count)
        fact = TokenIssued(
            supply=self.supply.code,
            meter=self.taker.meter.meter,
            kind=kind,
            count=count,
            units=units,
            reason=reason,
            operator=by.operator,
            key_hash=by.key_hash,
            source=self.source,
            state=after,
            recorded_at=self.now,
        )
        self.taker.append(fact, after)
        return fact

    def _account(self) -> str:
        return self.supply.occupancies[self.metering.state.occupancy].account

    def _tariff(self) -> CompiledTariff:
        price = next((one for one in reversed(self.prices) if one.starts <= self.now), None)
        if price is None or price.tariff is None:
            raise Refused(
                f"{self.supply.code} has no tariff in force now; assign one first: wattledger tariff assign"
            )
        if price.tariff.needs:
            needs = ", ".join(sorted(price.tariff.needs))
            raise Refused(
                f"the tariff of {self.supply.code} prices {needs}, of which a token knows nothing in advance"
            )
        return price.tariff

    def _rated(self, units: int) -> Rated:
        """Rate units as anybody will who folds the stream again: as usage at one instant."""
        span = span_of(self.now, self.now, units * self.tokens.unit_milliwh, None)
        rated = rated_span(self.prices, self.metering.state.counters, span, supply=self.supply.code)
        if isinstance(rated, Bad):
            raise Refused(f"{rated.detail}; no token can be priced")
        if not rated.counters.closed:
            return rated
        periods = periods_between(self.prices, rated.counters.closed, self.now, self.now)
        return closed_again(self.prices, rated, periods)


def _charged(event: Event, account: str) -> int:
    fact = event.fact
    amount_micros: int = getattr(fact, "amount_micros", 0) if getattr(fact, "account", "") == account else 0
    return amount_micros
