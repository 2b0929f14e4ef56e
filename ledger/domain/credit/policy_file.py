"""A credit policy as a TOML file: read with every error at once, each with its place and its remedy; written back."""

import tomllib
from collections.abc import Iterable
from itertools import pairwise

from ledger.domain.credit.policy import (
    DEFAULT_ORDER,
    ChargesWhileOff,
    CreditPolicy,
    DebtTerms,
    EmergencyCredit,
    FriendlyTimes,
    Part,
    Taken,
)
from ledger.domain.hours_file import country_of, dates_of, hours_of, zone_of
from ledger.rating.document import Reader, Table
from ledger.values.decimals import decimal_from_text
from ledger.values.errors import InvalidValue
from ledger.values.money import micros_from_decimal

_KEYS = {"zone", "warnings", "cut_at", "reconnect_margin", "charges_while_off", "order"}
_TABLES = {"emergency", "friendly", "debt", "top_up"}
# Beyond this no amount of a policy is meant.
_MOST_MICROS = 10_000_000 * 1_000_000


class WrongPolicy(InvalidValue):
    """A policy file with its errors, all of them."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("the credit policy is wrong:\n" + "\n".join(f"  - {error}" for error in self.errors))


def read_policy(text: str) -> CreditPolicy:
    """Return the policy that a file says; raises WrongPolicy with every error."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WrongPolicy([f"it is no TOML: {error}"]) from None
    reader = _Reader()
    policy = _policy(reader, document)
    if reader.errors:
        raise WrongPolicy(reader.errors)
    return policy


class _Reader(Reader):
    def amount(self, row: Table, key: str, place: str, default: int | None = 0, *, is_signed: bool = False) -> int:
        """Return an amount in micro-units; 0 after telling that it is none."""
        where = f"{place}.{key}" if place else key
        value = row.get(key)
        if value is None and default is not None:
            return default
        try:
            if not isinstance(value, str):
                raise InvalidValue("no text")
            micros = micros_from_decimal(decimal_from_text(value, what="amount"))
        except InvalidValue:
            micros = _MOST_MICROS + 1
        if abs(micros) > _MOST_MICROS or (micros < 0 and not is_signed):
            least = "" if is_signed else " of 0 or more"
            self.wrong(f'{where} is {value!r}; give an amount{least} in quotes, as in "10.00"')
            return 0
        return micros

    def part(self, document: Table, key: str, known: set[str]) -> Table | None:
        """Return a table, its keys checked; None where there is none."""
        table = self.table(document, key)
        if table is not None:
            self.only(table, key, known)
        return table


def _policy(reader: _Reader, document: Table) -> CreditPolicy:
    reader.only(document, "", _KEYS | _TABLES)
    top_up = reader.part(document, "top_up", {"least", "most"}) or {}
    least = reader.amount(top_up, "least", "top_up")
    most = reader.amount(top_up, "most", "top_up") if "most" in top_up else None
    if most is not None and most < least:
        reader.wrong("top_up.most is below top_up.least; no top-up could be made")
    charges: ChargesWhileOff = "collected"
    if reader.choice(document, "charges_while_off", "", ("collected", "accrued"), "collected") == "accrued":
        charges = "accrued"
    return CreditPolicy(
        zone=zone_of(reader, document),
        warnings_micros=_warnings(reader, document),
        cut_at_micros=reader.amount(document, "cut_at", "", is_signed=True),
        reconnect_micros=reader.amount(document, "reconnect_margin", ""),
        emergency=_emergency(reader, document),
        friendly=_friendly(reader, document),
        debt=_debt(reader, document),
        charges_while_off=charges,
        top_up_least_micros=least,
        top_up_most_micros=most,
        order=_order(reader, document),
    )


def _warnings(reader: _Reader, document: Table) -> tuple[int, ...]:
    texts = reader.names(document, "warnings", "")
    levels = [reader.amount({"warnings": text}, "warnings", "", is_signed=True) for text in texts]
    if any(later >= earlier for earlier, later in pairwise(levels)):
        reader.wrong(f"warnings are {list(texts)}; give each level below the one before it, the highest first")
    return tuple(levels)


def _emergency(reader: _Reader, document: Table) -> EmergencyCredit | None:
    table = reader.part(document, "emergency", {"limit", "offered_below", "taken"})
    if table is None:
        return None
    taken: Taken = "on-request"
    if reader.choice(table, "taken", "emergency", ("on-request", "automatic"), "on-request") == "automatic":
        taken = "automatic"
    return EmergencyCredit(
        limit_micros=reader.amount(table, "limit", "emergency", None),
        offered_below_micros=reader.amount(table, "offered_below", "emergency", None, is_signed=True),
        taken=taken,
    )


def _debt(reader: _Reader, document: Table) -> DebtTerms:
    table = reader.part(document, "debt", {"per_day", "percent_of_top_up", "week_cap"}) or {}
    percent = reader.decimal(table, "percent_of_top_up", "debt", decimal_from_text("0", what="percent"))
    basis_points = percent * 100
    if basis_points != int(basis_points) or basis_points > 10_000:
        reader.wrong(f'debt.percent_of_top_up is {percent}; give 0 to 100 with at most 2 places, as in "25"')
        basis_points = basis_points * 0
    return DebtTerms(
        per_day_micros=reader.amount(table, "per_day", "debt"),
        top_up_basis_points=int(basis_points),
        week_cap_micros=reader.amount(table, "week_cap", "debt") if "week_cap" in table else None,
    )


def _friendly(reader: _Reader, document: Table) -> FriendlyTimes:
    table = reader.part(document, "friendly", {"hours", "dates", "country", "subdivision", "holidays"})
    if table is None:
        return FriendlyTimes()
    country, subdivision = country_of(reader, table, within="friendly.")
    holidays = dates_of(reader, table, "holidays", within="friendly.")
    hours = [
        row
        for place, given in reader.tables(table, "hours", within="friendly")
        for row in hours_of(reader, place, given, has_holidays=bool(country or holidays), within="friendly.")
    ]
    return FriendlyTimes(
        tuple(hours), dates_of(reader, table, "dates", within="friendly."), country, subdivision, holidays
    )


def _order(reader: _Reader, document: Table) -> tuple[Part, ...]:
    if "order" not in document:
        return DEFAULT_ORDER
    names = reader.names(document, "order", "")
    by_name: dict[str, Part] = {part: part for part in DEFAULT_ORDER}
    wanted = ", ".join(DEFAULT_ORDER)
    if sorted(names) != sorted(by_name):
        reader.wrong(f"order is {list(names)}; name each once: {wanted}")
    elif names[-1] != "balance":
        reader.wrong(f"order ends with {names[-1]!r}; 'balance' takes all that is left, so it is last")
    elif names.index("below-threshold") > names.index("emergency"):
        reader.wrong("order has 'emergency' before 'below-threshold'; the balance rises through that line first")
    else:
        return tuple(by_name[name] for name in names)
    return DEFAULT_ORDER
