"""Which supply points an interval file is billed to, and whether the ledger can bill them for its times."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from console.errors import ConsoleError
from ledger.domain import supply as supply_stream_of
from ledger.domain import tariff as tariff_stream_of
from ledger.domain.supply import Supply
from ledger.domain.tariff import TariffHistory
from ledger.store.application import Ledger
from ledger.values.identity import supply_stream, tariff_stream

_CODE_LENGTH_MAX = 64


class ImportRefused(ConsoleError):
    """A file cannot be imported as asked; nothing was published."""


def chosen_codes(file: object, *, nmis: Iterable[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the supply point's code of each NMI to import: those mapped, or without any mapping each its own.

    Raises ImportRefused for a file without import energy, an NMI that it lacks, and a supply point named twice: its
    two halves would contradict one another, or pass for repetitions.
    """
    in_file = list(nmis)
    if not in_file:
        raise ImportRefused(f"{file} has no import-energy channel (E); there is nothing to bill")
    unknown = sorted(set(mapping) - set(in_file))
    if unknown:
        raise ImportRefused(f"{file} has no import energy for NMI {', '.join(unknown)}; it has {', '.join(in_file)}")
    chosen = {nmi: mapping.get(nmi, nmi) for nmi in in_file if not mapping or nmi in mapping}
    for nmi, code in chosen.items():
        others = [other for other in chosen if other != nmi and chosen[other] == code]
        if others:
            raise ImportRefused(
                f"NMI {nmi} and {', '.join(others)} are both mapped to supply point {code!r}; give each its own"
            )
    return chosen


def interval_supply(ledger: Ledger, *, nmi: str, code: str, starts_at: datetime) -> Supply:
    """Return a supply point that intervals can be billed to.

    Raises ImportRefused where there is none, saying how to get one that can be billed from `starts_at`.
    """
    supply: Supply | None = ledger.folded(supply_stream(code), supply_stream_of.evolve, None)[0]
    if supply is None:
        raise ImportRefused(f"NMI {nmi}: there is no supply point {code!r}; name its own with --map {nmi}=SUPPLY")
    if supply.meter is None or supply.meter.measures != "interval":
        # A supply point keeps its meter, and a meter its supply point: what is new needs new names.
        taken = "" if supply.meter is None else supply.meter.meter
        new = _lengthened(code, "-nem12")
        meter = _lengthened(nmi, "-nem12") if taken == nmi else nmi
        remedy = _adding(supply, nmi=nmi, new=new, meter=meter, since=starts_at)
        raise ImportRefused(f"NMI {nmi}: supply point {code!r} has no interval meter; {remedy}")
    return supply


def meter_of(supply: Supply) -> str:
    """Return the serial of a supply point's meter, which `interval_supply` has found to be there."""
    if supply.meter is None:
        raise AssertionError(f"supply {supply.code} was checked for its meter")
    return supply.meter.meter


def check_beginning(ledger: Ledger, *, nmi: str, supply: Supply, starts_at: datetime) -> None:
    """Raise ImportRefused where a file begins before the ledger can bill its supply point.

    What lies before would be held, and the same file could not be imported a second time.
    """
    late = [*_begins_later(supply, starts_at)]
    if late:
        new = _lengthened(supply.code, f"-from-{starts_at:%Y%m%d}")
        remedy = _adding(supply, nmi=nmi, new=new, meter=new, since=starts_at)
    else:
        late = [*_priced_later(ledger, supply, starts_at)]
        remedy = f"publish an earlier one with `wattledger tariff publish FILE --from {starts_at.isoformat()} ...`"
    if late:
        raise ImportRefused(
            f"NMI {nmi} begins at {starts_at.isoformat()}, before supply point {supply.code!r} can be billed:"
            f" {', '.join(late)}; import a file that begins then or later, or {remedy}"
        )


def _begins_later(supply: Supply, starts_at: datetime) -> Iterator[str]:
    if supply.occupancy_at(starts_at) is None:
        yield f"its first occupancy begins {_when(row.occupied_from for row in supply.occupancies)}"
    if supply.terms_at(starts_at) is None:
        yield f"its first terms begin {_when(row.effective_from for row in supply.terms)}"


def _priced_later(ledger: Ledger, supply: Supply, starts_at: datetime) -> Iterator[str]:
    terms = supply.terms_at(starts_at)
    if terms is None:
        return
    history: TariffHistory | None = ledger.folded(tariff_stream(terms.tariff), tariff_stream_of.evolve, None)[0]
    versions = () if history is None else history.versions
    if all(version.effective_from > starts_at for version in versions):
        first = _when(version.effective_from for version in versions)
        yield f"the first version of its tariff {terms.tariff!r} begins {first}"


def _when(beginnings: Iterable[datetime]) -> str:
    first = min(beginnings, default=None)
    return "never yet" if first is None else f"at {first.isoformat()}"


def _adding(supply: Supply, *, nmi: str, new: str, meter: str, since: datetime) -> str:
    """Say how to get a supply point beside this one, as a command that can be given as it stands."""
    account = supply.occupancies[-1].account if supply.occupancies else "ACCOUNT"
    tariff = supply.terms[-1].tariff if supply.terms else "TARIFF"
    return (
        f"add a supply point for it with `wattledger supply add {new} --site {supply.site}"
        f" --concentrator {supply.concentrator} --meter {meter} --profile nem12 --account {account}"
        f" --tariff {tariff} --from {since.isoformat()}` and import with --map {nmi}={new}"
    )


def _lengthened(code: str, suffix: str) -> str:
    return code[: _CODE_LENGTH_MAX - len(suffix)] + suffix
