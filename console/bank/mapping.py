"""How a bank writes its files: a TOML file, of which docs/bank-files.md tells all."""

import re
import tomllib
from codecs import lookup
from pathlib import Path

import msgspec

from console.errors import ConsoleError
from ledger.usecases.codes import checked_code, checked_currency
from ledger.values.errors import InvalidValue


class BadMapping(ConsoleError):
    """A mapping file cannot be used; nothing was read with it."""


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The names of columns: `amount` with a sign, or `credit` (and `debit`) without one; `text` is one or several."""

    date: str
    text: list[str]
    amount: str = ""
    credit: str = ""
    debit: str = ""
    id: str = ""
    currency: str = ""


class Naming(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the payer names the account: what the pattern's group finds, put where `code` has its braces."""

    pattern: str
    code: str = "{}"


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mapping file; `bank` names our account there and is part of what tells one line from another."""

    bank: str
    currency: str
    columns: Columns
    account: Naming
    channel: str = "bank"
    delimiter: str = ","
    encoding: str = "utf-8"
    skip_lines: int = 0
    decimal: str = "."
    thousands: str = ""
    date_format: str = "%Y-%m-%d"

    def account_named(self, text: str) -> str:
        """Return the account that a text names; nothing where it names none, or more than one."""
        found = {self.account.code.format(match.group(1)) for match in re.finditer(self.account.pattern, text)}
        return found.pop() if len(found) == 1 else ""


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file; raises BadMapping naming what is wrong with it."""
    try:
        mapping = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Mapping)
        _check(mapping)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError, InvalidValue) as error:
        raise BadMapping(f"{path} is no mapping: {error}; docs/bank-files.md has an example") from None
    return mapping


def _check(mapping: Mapping) -> None:
    checked_code(mapping.bank, what="bank")
    checked_code(mapping.channel, what="channel")
    checked_currency(mapping.currency)
    columns = mapping.columns
    if bool(columns.amount) == bool(columns.credit):
        raise InvalidValue("columns need either `amount`, with a sign, or `credit`, and not both")
    if columns.debit and not columns.credit:
        raise InvalidValue("`debit` goes with `credit`; an `amount` with a sign has both")
    if not columns.text:
        raise InvalidValue("columns.text is empty; name the columns in which a payer may name the account")
    if len(mapping.delimiter) != 1 or len(mapping.decimal) != 1 or len(mapping.thousands) > 1:
        raise InvalidValue("`delimiter` and `decimal` are one character each, `thousands` is one or none")
    if mapping.decimal == mapping.thousands:
        raise InvalidValue(f"{mapping.decimal!r} cannot be both `decimal` and `thousands`")
    if mapping.skip_lines < 0:
        raise InvalidValue(f"skip_lines {mapping.skip_lines} is below zero")
    _check_encoding(mapping.encoding)
    _check_naming(mapping.account)


def _check_encoding(encoding: str) -> None:
    try:
        lookup(encoding)
    except LookupError:
        raise InvalidValue(f"encoding {encoding!r} is not known; use utf-8, gbk or latin-1, say") from None


def _check_naming(naming: Naming) -> None:
    try:
        groups = re.compile(naming.pattern).groups
    except re.error as error:
        raise InvalidValue(f"account.pattern {naming.pattern!r} is no regular expression: {error}") from None
    if groups != 1:
        raise InvalidValue(f"account.pattern {naming.pattern!r} has {groups} groups; put what is the code into one")
    if naming.code.count("{}") != 1 or set(naming.code.replace("{}", "")) & set("{}"):
        raise InvalidValue(f"account.code {naming.code!r} has not one pair of braces; write 'account-{{}}', say")
