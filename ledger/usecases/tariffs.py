"""Tariffs: publish a version."""

from collections.abc import Sequence
from datetime import datetime

from ledger.domain import tariff as tariff_stream_of
from ledger.domain.event import Event
from ledger.domain.tariff import TariffPublished
from ledger.rating.tariff import parse_tariff
from ledger.store.application import Ledger
from ledger.usecases.attempt import appended
from ledger.usecases.codes import checked_code
from ledger.values.errors import Refused
from ledger.values.identity import tariff_stream


def publish_tariff(ledger: Ledger, *, text: str, effective_from: datetime, note: str, now: datetime) -> int:
    """Publish a tariff file's text as the next version, in force from an instant on; return the version.

    Raises InvalidValue for a wrong file (naming every error) or code, Refused where the version would start before
    one that is published already.
    """
    tariff = parse_tariff(text)
    checked_code(tariff.code, what="tariff code")
    stream = tariff_stream(tariff.code)
    version = 0

    def decide() -> Sequence[Event]:
        nonlocal version
        history, events = ledger.folded(stream, tariff_stream_of.evolve, None)
        if history is not None and history.versions[-1].effective_from > effective_from:
            raise Refused(
                f"tariff {tariff.code!r} has a version from {history.versions[-1].effective_from.isoformat()};"
                " a new one must start later"
            )
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

    appended(ledger, decide)
    return version
