"""Tariffs: publish a version."""

from collections.abc import Sequence
from datetime import datetime

from ledger.domain import tariff as tariff_stream_of
from ledger.domain.event import Event
from ledger.domain.tariff import TariffHistory, TariffPublished, compiled
from ledger.rating.booked import unbooked
from ledger.rating.tariff import Tariff, parse_tariff, prepaid_errors
from ledger.store.application import Ledger
from ledger.usecases.attempt import appended
from ledger.usecases.billed_past import BilledPast, billed_past, check_classes_kept
from ledger.usecases.codes import checked_code
from ledger.values.errors import InvalidValue, Refused
from ledger.values.identity import tariff_stream
from ledger.values.instants import in_utc


def publish_tariff(ledger: Ledger, *, text: str, effective_from: datetime, note: str, now: datetime) -> int:
    """Publish a tariff file's text as the next version, in force from an instant on; return the version.

    It takes effect at or after the newest version, or before the first: what was held for want of a price can then
    be billed. Raises InvalidValue for a wrong file (naming every error) or code, Refused for an instant between or
    in a past that is billed already, where an account class in use is left out, or where the currency or the time
    zone is not the earlier versions'.
    """
    tariff = parse_tariff(text)
    refusals = prepaid_errors(tariff)
    if refusals:
        raise InvalidValue("the tariff cannot be published for prepaid supply:\n  - " + "\n  - ".join(refusals))
    awaited = unbooked(tariff)
    if awaited:
        raise Refused(
            "the tariff can be rated, quoted and simulated, but this version does not book all of it from live"
            " readings, and what is not booked would be given away:\n  - " + "\n  - ".join(awaited)
        )
    checked_code(tariff.code, what="tariff code")
    effective_from = in_utc(effective_from)
    stream = tariff_stream(tariff.code)
    version = 0
    past: BilledPast | None = None

    def decide() -> Sequence[Event]:
        nonlocal version, past
        history, events = ledger.folded(stream, tariff_stream_of.evolve, None)
        if history is not None:
            _check_succession(history, tariff, effective_from)
            # Before the first version nothing was billed by this tariff, whatever is billed after it.
            check_classes_kept(ledger, tariff=tariff, effective_from=effective_from)
            is_later = effective_from >= history.versions[0].effective_from
            past = billed_past(ledger, tariff=tariff.code, effective_from=effective_from) if is_later else None
        version = events + 1
        fact = TariffPublished(
            tariff=tariff.code,
            version=version,
            effective_from=effective_from,
            text=text,
            note=note,
            recorded_at=now,
        )
        return [Event(stream, version, fact)]

    appended(ledger, decide, guard=lambda cursor: past.check_written_since(cursor) if past is not None else None)
    return version


def _check_succession(history: TariffHistory, tariff: Tariff, effective_from: datetime) -> None:
    first, newest = history.versions[0], history.versions[-1]
    if first.effective_from <= effective_from < newest.effective_from:
        raise Refused(
            f"tariff {tariff.code!r} has a version from {newest.effective_from.isoformat()}, this one would start at"
            f" {effective_from.isoformat()}; let it start later"
        )
    earlier = compiled(newest.text, newest.version).tariff
    if (tariff.currency, tariff.time_zone.key) != (earlier.currency, earlier.time_zone.key):
        raise Refused(
            f"tariff {tariff.code!r} is in {earlier.currency}, {earlier.time_zone.key} so far, this version in"
            f" {tariff.currency}, {tariff.time_zone.key}; publish it under another code"
        )
