"""Held readings: an operator releases one or dismisses it (design I8); what that does is settled by pricing."""

from collections.abc import Sequence
from datetime import datetime

from ledger.domain import supply as supply_stream_of
from ledger.domain.event import Event
from ledger.domain.meter import ReadingHeld
from ledger.domain.supply_life import HoldResolved, Resolution
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.usecases.attempt import appended, checked_key
from ledger.usecases.codes import checked_code
from ledger.values.errors import NotFound, Refused
from ledger.values.identity import supply_stream


def resolve_hold(
    ledger: Ledger,
    *,
    position: int,
    resolution: Resolution,
    operator: str,
    reason: str,
    now: datetime,
    key: str = "",
) -> HoldResolved:
    """Decide on the held reading whose event stands at a position; returns the decision as it was recorded.

    `operator` is an opaque id, `reason` a code. The same `key` with the same content returns the first decision.
    Raises NotFound where no held reading stands there, Conflict for a key that came with other content, Refused where
    it was decided on before, or where it is no longer known what it said.
    """
    checked_code(operator, what="operator")
    checked_code(reason, what="reason")
    held = _held_at(ledger, position)
    stream = supply_stream(held.supply)
    content = {"position": str(position), "resolution": resolution, "operator": operator, "reason": reason}
    command = Command(f"hold/{checked_key(key)}", content) if key else None

    def decide() -> Sequence[Event]:
        state, version = ledger.folded(stream, supply_stream_of.evolve, None)
        if state is None:
            raise AssertionError(f"supply point {held.supply} has held readings, but was never registered")
        for version, fact in state.life:
            # The same reading may have been held before; what was decided then stands before this hold.
            if (
                isinstance(fact, HoldResolved)
                and fact.reading == held.reading
                and ledger.position_of(stream, version) > position
            ):
                raise Refused(
                    f"the reading at position {position} was decided on by {fact.operator}: {fact.resolution},"
                    f" {fact.reason}; decide on a newer one"
                )
        return [Event(stream, version + 1, _decision(held, resolution, operator, reason, now))]

    logged = ledger.event_at(appended(ledger, decide, command=command))
    if logged is None or not isinstance(logged.fact, HoldResolved):
        raise AssertionError(f"the decision on the reading at position {position} was not recorded")
    return logged.fact


def _held_at(ledger: Ledger, position: int) -> ReadingHeld:
    logged = ledger.event_at(position)
    if logged is None or not isinstance(logged.fact, ReadingHeld):
        raise NotFound(f"no held reading stands at position {position}; take it from: wattledger readings held")
    return logged.fact


def _decision(held: ReadingHeld, resolution: Resolution, operator: str, reason: str, now: datetime) -> HoldResolved:
    if held.import_milliwh is None and resolution == "release":
        raise Refused(
            "what this reading said is in its raw words only, for an older version held it; dismiss it, and import it"
            " anew"
        )
    return HoldResolved(
        supply=held.supply,
        meter=held.meter,
        reading=held.reading,
        resolution=resolution,
        operator=operator,
        reason=reason,
        read_at=held.read_at,
        started_at=held.started_at,
        import_milliwh=held.import_milliwh or 0,
        quality=held.quality,
        profile=held.profile,
        raw=held.raw,
        recorded_at=now,
    )
