"""Commissioning: what was found when a supply point's meter was walked through, booked once."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ledger.domain import supply as supply_stream_of
from ledger.domain.event import Event
from ledger.domain.supply import Supply
from ledger.domain.supply_life import SupplyCommissioned
from ledger.store.application import Ledger
from ledger.usecases.attempt import appended
from ledger.usecases.codes import checked_code
from ledger.values.commissioning import CommissioningRecord
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.identity import supply_stream
from ledger.values.instants import in_utc

# Two clocks, the edge's and the server's, may differ by as much.
_CLOCKS = timedelta(minutes=5)


def record_commissioning(ledger: Ledger, record: CommissioningRecord, *, now: datetime) -> int:
    """Book a commissioning's result, passed or not, and return its position; 0 where it stands there already.

    The caller has verified the record's signature. Raises NotFound for an unknown supply point, Refused where it has
    another meter or concentrator by now or a newer result, InvalidValue for a time to come.
    """
    checked_code(record.operator, what="operator")
    at = in_utc(record.commissioned_at)
    if at > now + _CLOCKS:
        raise InvalidValue(f"a commissioning at {at.isoformat()} has not happened yet; check the edge's clock")
    stream = supply_stream(record.supply)

    def decide() -> Sequence[Event]:
        state, version = ledger.folded(stream, supply_stream_of.evolve, None)
        if state is None:
            raise NotFound(f"there is no supply point {record.supply!r}; add it first, or check the site file's code")
        fact = _fact(record, at, now)
        newest = state.commissioning
        if newest is not None and _is_same(newest, fact):
            return []
        _check_place(state, record, at)
        return [Event(stream, version + 1, fact)]

    return appended(ledger, decide)


def _check_place(state: Supply, record: CommissioningRecord, at: datetime) -> None:
    meter = None if state.meter is None else state.meter.meter
    if meter != record.meter:
        raise Refused(
            f"supply point {record.supply!r} has meter {meter!r}, {record.meter!r} was commissioned; exchange it"
            " first, or put the site file right and commission again"
        )
    if state.concentrator != record.concentrator:
        raise Refused(
            f"supply point {record.supply!r} is read through {state.concentrator!r}, it was commissioned at"
            f" {record.concentrator!r}; tell its move with `wattledger supply concentrator`, or commission again"
        )
    if state.spells and at < state.spells[-1].meter.installed_at:
        raise Refused(
            f"meter {record.meter!r} is installed since {state.spells[-1].meter.installed_at.isoformat()}, after its"
            f" commissioning at {at.isoformat()}; commission again"
        )
    if state.commissioning is not None and at <= state.commissioning.commissioned_at:
        raise Refused(
            f"supply point {record.supply!r} was commissioned at {state.commissioning.commissioned_at.isoformat()},"
            f" this record is of {at.isoformat()}; the newest counts"
        )


def _fact(record: CommissioningRecord, at: datetime, now: datetime) -> SupplyCommissioned:
    return SupplyCommissioned(
        supply=record.supply,
        meter=record.meter,
        commissioned_at=at,
        operator=record.operator,
        passed=record.passed,
        register_milliwh=record.register_milliwh,
        relay=record.relay,
        load_before_w=record.load_before_w,
        load_open_w=record.load_open_w,
        failed=record.failed,
        recorded_at=now,
    )


def _is_same(one: SupplyCommissioned, other: SupplyCommissioned) -> bool:
    return (one.meter, one.commissioned_at, one.passed) == (other.meter, other.commissioned_at, other.passed)
