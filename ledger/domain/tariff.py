"""Tariffs as published: immutable, effective-dated versions, each with the whole file it was published from."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from ledger.domain.event import Fact, fact_type
from ledger.rating.ladder import Part
from ledger.rating.rate import CompiledTariff, compile_tariff
from ledger.rating.tariff import Tariff, parse_tariff
from ledger.wire import Instant


@fact_type("tariff.published/1")
class TariffPublished(Fact, frozen=True, kw_only=True):
    """A version of a tariff, in force from `effective_from` until a later version's; `text` is the TOML file.

    `proposed_by` and `approved_by` are two people, where two had to decide, and `proposal` is theirs.
    """

    tariff: str
    version: int
    effective_from: Instant
    text: str
    note: str
    proposed_by: str = ""
    approved_by: str = ""
    proposal: str = ""


@dataclass(frozen=True, slots=True)
class TariffHistory:
    """A tariff's versions in the order in which they take effect."""

    code: str
    versions: tuple[TariffPublished, ...]

    def version_at(self, instant: datetime) -> TariffPublished | None:
        """Return the version in force at an instant."""
        return next((row for row in reversed(self.versions) if row.effective_from <= instant), None)


def evolve(history: TariffHistory | None, fact: Fact) -> TariffHistory:
    """Apply a fact of the stream; a version taking effect at the instant of an older one replaces it."""
    if not isinstance(fact, TariffPublished):
        raise AssertionError(f"{type(fact).__name__} does not belong to a tariff stream")
    versions = () if history is None else history.versions
    return TariffHistory(
        code=fact.tariff,
        versions=tuple(sorted((*versions, fact), key=lambda row: (row.effective_from, row.version))),
    )


@lru_cache(maxsize=4096)
def compiled(text: str, version: int, account_class: str = "") -> CompiledTariff:
    """Return a published version ready for rating; compiled once per process and account class."""
    return compile_tariff(_parsed(text), version=version, account_class=account_class)


def knows_class(text: str, account_class: str) -> bool:
    """Tell whether a version has prices for an account class; every version has them for none."""
    return not account_class or any(row.name == account_class for row in _parsed(text).classes)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Tariff:
    return parse_tariff(text)


@lru_cache(maxsize=4096)
def prorated(tariff: CompiledTariff, part: Part) -> CompiledTariff:
    """Return a version for part of a window; one object for each, so that it remembers what it looked up."""
    return tariff.for_part(part)
