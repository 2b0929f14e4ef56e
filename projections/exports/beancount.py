"""Beancount: every transaction with all its micro-units, and at the end every balance asserted to the last one.

Dates are those of recording, in UTC, so that balances of a day are those of our journal; when a transaction took
effect stands in its metadata.
"""

from datetime import UTC, date, datetime, timedelta
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Self

from ledger.domain.event import Posting
from ledger.values.money import decimal_from_micros
from projections.exports.beancount_names import beancount_name
from projections.exports.source import Exported

NAME = "ledger.beancount"
# Before any ledger: an account must be open before its first transaction, whatever that one's date.
_OPENED = date(1970, 1, 1)

Key = tuple[str, str, str]


class BeancountFile:
    """Writes `ledger.beancount`; only a balance per account is kept in memory."""

    def __init__(self, directory: Path) -> None:
        self.rows = {NAME: 0}
        self._path = directory / NAME
        self._balances: dict[Key, int] = {}
        self._names: set[str] = set()
        self._last = _OPENED

    def __enter__(self) -> Self:
        """Open the file."""
        self._file: TextIOWrapper = self._path.open("w", encoding="utf-8", newline="\n")
        self._file.write('option "title" "Wattledger"\n\n')
        return self

    def take(self, event: Exported) -> None:
        """Write an event's transaction; one that moves no money is none."""
        if not event.postings:
            return
        opened: list[str] = []
        lines = []
        for posting in event.postings:
            key = (posting.code, posting.account, event.currency)
            name = beancount_name(posting.code, posting.account)
            if name not in self._names:
                opened.append(_opening(name, posting))
                self._names.add(name)
            self._balances[key] = self._balances.get(key, 0) + posting.amount_micros
            lines.append(f"  {name}  {_amount(posting.amount_micros)} {event.currency}\n")
        self._file.writelines((*opened, *_head(event), *lines, "\n"))
        self._last = max(self._last, event.recorded_at.astimezone(UTC).date())
        self.rows[NAME] += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Assert the balances, unless something failed, and close the file."""
        if kind is None:
            after = self._last + timedelta(days=1)
            for key, micros in self._balances.items():
                code, account, currency = key
                name = beancount_name(code, account)
                self._file.write(f"{after} balance {name}  {_amount(micros)} ~ 0 {currency}\n")
        self._file.close()


def _opening(name: str, posting: Posting) -> str:
    lines = [f"{_OPENED} open {name}\n", f'  code: "{posting.code}"\n']
    if posting.account:
        lines.append(f'  account: "{posting.account}"\n')
    return "".join([*lines, "\n"])


def _head(event: Exported) -> list[str]:
    return [
        f'{event.recorded_at.astimezone(UTC).date()} * "{event.topic}"\n',
        f"  position: {event.position}\n",
        f'  stream: "{event.stream}"\n',
        f"  version: {event.version}\n",
        f'  recorded: "{_time(event.recorded_at)}"\n',
        f'  effective: "{_time(event.effective_at)}"\n',
        f'  month: "{event.month}"\n',
    ]


def _amount(micros: int) -> str:
    return f"{decimal_from_micros(micros):.6f}"


def _time(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
