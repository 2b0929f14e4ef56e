"""A bank's file, read line by line: what was paid in, what went out, and what cannot be read."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from console.bank.mapping import Mapping
from console.errors import ConsoleError
from ledger.values.errors import InvalidValue
from ledger.values.money import micros_from_text

_LONGEST_ID = 200


class BadBankFile(ConsoleError):
    """A file cannot be read with this mapping; nothing of it was booked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the file: `amount_micros` is below zero for what went out.

    `reference` is what tells it from every other line of this bank account, however often a file has it. It may hold
    what people wrote: it goes to personal data, and into the ledger as a keyed hash. `account` is the code that the
    payer named, nothing where that is not clear.
    """

    number: int
    booked_on: date
    amount_micros: int
    reference: str
    account: str


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A line that cannot be read, and why."""

    number: int
    problem: str


def read_lines(path: Path, mapping: Mapping) -> tuple[list[Line], list[WrongLine]]:
    """Read a file; raises BadBankFile where it is not one of this mapping's at all."""
    try:
        # A byte order mark is nobody's name for a column.
        text = path.read_bytes().decode(mapping.encoding).removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        raise BadBankFile(f"{path} cannot be read as {mapping.encoding}: {error}; see `encoding`") from None
    rows = text.splitlines(keepends=True)[mapping.skip_lines :]
    reader = csv.DictReader(rows, delimiter=mapping.delimiter, strict=True)
    _check_columns(path, reader.fieldnames or [], mapping)
    reading = _Reading(mapping)
    lines: list[Line] = []
    wrong: list[WrongLine] = []
    try:
        for fields in reader:
            number = mapping.skip_lines + reader.line_num
            try:
                lines += reading.line(number, fields)
            except InvalidValue as error:
                wrong.append(WrongLine(number, str(error)))
    except csv.Error as error:
        raise BadBankFile(
            f"{path}, line {mapping.skip_lines + reader.line_num}: {error}; see `delimiter` and `skip_lines`"
        ) from None
    return lines, wrong


def _check_columns(path: Path, names: Sequence[str], mapping: Mapping) -> None:
    columns = mapping.columns
    wanted = [
        columns.date,
        *columns.text,
        columns.amount,
        columns.credit,
        columns.debit,
        columns.id,
        columns.currency,
    ]
    missing = [name for name in wanted if name and name not in names]
    if missing:
        raise BadBankFile(
            f"{path} has no column {', '.join(map(repr, missing))}; line {mapping.skip_lines + 1} has"
            f" {', '.join(map(repr, names)) or 'nothing'}: see `columns`, `delimiter` and `skip_lines`"
        )


class _Reading:
    """Reads rows in their order, and counts those that look alike."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._alike: Counter[str] = Counter()
        self._ids: dict[str, str] = {}

    def line(self, number: int, fields: "dict[str | None, str | list[str] | None]") -> Iterator[Line]:
        """Return the row as a line, nothing for an empty one; raises InvalidValue."""
        if not any(fields.values()):
            return
        if None in fields or None in fields.values():
            raise InvalidValue("it has more or fewer fields than the header; quote what holds the delimiter")
        row = {str(name): str(value).strip() for name, value in fields.items()}
        columns, mapping = self._mapping.columns, self._mapping
        if columns.currency and row[columns.currency] != mapping.currency:
            raise InvalidValue(f"it is in {row[columns.currency]!r}, the mapping's currency is {mapping.currency}")
        booked_on = self._date(row[columns.date])
        amount_micros = self._amount(row)
        text = " ".join(row[name] for name in columns.text)
        yield Line(
            number=number,
            booked_on=booked_on,
            amount_micros=amount_micros,
            reference=self._reference(row, f"{booked_on} {amount_micros} {text}"),
            account=mapping.account_named(text),
        )

    def _date(self, text: str) -> date:
        try:
            return datetime.strptime(text, self._mapping.date_format).date()  # noqa: DTZ007 - a bank's own day
        except ValueError:
            raise InvalidValue(
                f"date {text!r} is not as {self._mapping.date_format!r} says; see `date_format`"
            ) from None

    def _amount(self, row: dict[str, str]) -> int:
        columns = self._mapping.columns
        if columns.amount:
            return self._micros(row[columns.amount])
        credit_micros = self._micros(row[columns.credit] or "0")
        debit_micros = abs(self._micros(row[columns.debit] or "0")) if columns.debit else 0
        if credit_micros and debit_micros:
            raise InvalidValue("it has an amount paid in and one paid out; one line is one payment")
        return credit_micros - debit_micros

    def _micros(self, text: str) -> int:
        mapping = self._mapping
        plain = text.replace(mapping.thousands, "") if mapping.thousands else text
        if mapping.decimal != "." and "." in plain:
            raise InvalidValue(f"amount {text!r} has a point, the mapping's decimal sign is {mapping.decimal!r}")
        return micros_from_text(plain.replace(mapping.decimal, ".").removeprefix("+"))

    def _reference(self, row: dict[str, str], content: str) -> str:
        """Name the line by the bank's id, or else by what it says and which of its like it is in the file."""
        bank, given = self._mapping.bank, row[self._mapping.columns.id] if self._mapping.columns.id else ""
        if len(given) > _LONGEST_ID:
            raise InvalidValue(f"its id is longer than {_LONGEST_ID} characters; see `columns.id`")
        if given:
            if self._ids.setdefault(given, content) != content:
                raise InvalidValue(f"id {given!r} is on an earlier line with other content; an id names one payment")
            return f"{bank}:id:{given}"
        self._alike[content] += 1
        return f"{bank}:line:{content} #{self._alike[content]}"
