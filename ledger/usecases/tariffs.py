"""Tariffs: publish a version."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Cursor
from psycopg.rows import TupleRow

from ledger.domain import tariff as tariff_stream_of
from ledger.domain.chart import RESERVED_COMPONENTS
from ledger.domain.event import Event
from ledger.domain.tariff import TariffHistory, TariffPublished, compiled
from ledger.rating.tariff import Tariff, parse_tariff, prepaid_errors
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.usecases.attempt import Booked, appended_guarded
from ledger.usecases.billed_past import BilledPast, billed_past, check_classes_kept, has_billed_anything
from ledger.usecases.codes import checked_code
from ledger.usecases.money.limits import NeedsApproval, check_two_people, four_eyes
from ledger.values.errors import InvalidValue, Refused
from ledger.values.identity import tariff_stream
from ledger.values.instants import in_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciders:
    """Who decided on a version: who proposed it and who approved it, of which proposal and under which key.

    `beside` are events of the same transaction: the approval itself.
    """

    proposed_by: str = ""
    approved_by: str = ""
    proposal: str = ""
    command: Command | None = None
    beside: Callable[[], Sequence[Event]] = tuple


ANYBODY = Deciders()


@dataclass(frozen=True, slots=True)
class Published:
    """A published version, and where it stands in the ledger."""

    version: int
    booked: Booked


def publish_tariff(
    ledger: Ledger,
    *,
    text: str,
    effective_from: datetime,
    note: str,
    now: datetime,
    deciders: Deciders = ANYBODY,
) -> int:
    """Publish a tariff file's text as the next version; return the version (see `publish`)."""
    decided = publish(ledger, text=text, effective_from=effective_from, note=note, now=now, deciders=deciders)
    return decided.version


def publish(
    ledger: Ledger, *, text: str, effective_from: datetime, note: str, now: datetime, deciders: Deciders
) -> Published:
    """Publish a tariff file's text as the next version, in force from an instant on.

    It takes effect at or after the newest version, or before the first: what was held for want of a price can then
    be billed. Raises InvalidValue for a wrong file (naming every error) or code, Refused for an instant between or
    in a past that is billed already, where an account class in use is left out, or where the currency or the time
    zone is not the earlier versions'; NeedsApproval where the ledger has billed anybody and one person decided alone.
    """
    check_two_people(operator=deciders.proposed_by, approved_by=deciders.approved_by)
    tariff = checked_tariff(text)
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
            _check_deciders(ledger, tariff.code, deciders, now)
        version = events + 1
        fact = TariffPublished(
            tariff=tariff.code,
            version=version,
            effective_from=effective_from,
            text=text,
            note=note,
            proposed_by=deciders.proposed_by,
            approved_by=deciders.approved_by,
            proposal=deciders.proposal,
            recorded_at=now,
        )
        return [*deciders.beside(), Event(stream, version, fact)]

    def guard(cursor: Cursor[TupleRow]) -> None:
        if past is not None:
            past.check_written_since(cursor)

    booked = appended_guarded(ledger, decide, command=deciders.command, guard=guard)
    return Published(version, booked)


def checked_tariff(text: str) -> Tariff:
    """Return a tariff that can be published; raises InvalidValue for one that cannot."""
    tariff = parse_tariff(text)
    refusals = prepaid_errors(tariff)
    if refusals:
        raise InvalidValue("the tariff cannot be published for prepaid supply:\n  - " + "\n  - ".join(refusals))
    checked_code(tariff.code, what="tariff code")
    reserved = sorted(thing.component for thing in tariff.components if thing.component in RESERVED_COMPONENTS)
    if reserved:
        raise InvalidValue(f"component {reserved[0]!r} has the name of an account of the books; give it another one")
    return tariff


def _check_deciders(ledger: Ledger, tariff: str, deciders: Deciders, now: datetime) -> None:
    """Raise NeedsApproval where one person decided alone on prices of a ledger that bills people already.

    Any tariff: a new code could be assigned to those who are billed by another.
    """
    if not deciders.approved_by and four_eyes(ledger, now=now).tariffs and has_billed_anything(ledger):
        raise NeedsApproval(
            f"publishing tariff {tariff!r} takes two people, for this ledger bills already; another has to approve it"
        )


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
