"""Books a bank's file: each line that came in is a top-up, or a receipt until somebody knows whose it is."""

import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Environ
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from psycopg import Connection

from console.bank.mapping import Mapping, read_mapping
from console.bank.statement_file import Line, WrongLine, read_lines
from console.connection import opened_ledger, people_connection, writer_connection
from console.errors import ConsoleError
from console.progress import progress_bars
from ledger.store.application import Ledger
from ledger.store.people import keep_reference
from ledger.store.standing import BalancesBehind
from ledger.usecases.money.bank_transfers import Transfer, book_transfer, known_as, why_not
from ledger.values.errors import LedgerError
from ledger.values.outside import reference_hash

Outcome = Literal["credited", "kept", "repeated", "paid-out", "wrong"]

# Any number that nothing else here locks: one import at a time, whoever starts it.
_LOCK = 0x62616E6B
_BEHIND_FOR_S = 30.0


class ImportBusy(ConsoleError):
    """Another import of a bank's file is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a line; `position` is 0 where it is not in the ledger."""

    number: int
    outcome: Outcome
    detail: str
    amount_micros: int = 0
    position: int = 0


def import_bank_file(
    environ: Environ[str, str], *, file: Path, mapping: Path, operator: str, is_dry_run: bool
) -> tuple[Mapping, list[Told]]:
    """Book a file's lines, or tell what would be booked; return what became of each, in the file's order.

    Raises BadMapping, BadBankFile, or ImportBusy, before anything is booked. A wrong line keeps no other back.
    """
    how = read_mapping(mapping)
    lines, wrong = read_lines(file, how)
    told = [_wrong(one) for one in wrong]
    with opened_ledger(environ) as ledger, people_connection(environ) as people, _alone(environ):
        booking = _Booking(ledger, people, how, operator, environ.get("WATTLEDGER_REFERENCE_KEY", ""), is_dry_run)
        with progress_bars() as bars:
            task = bars.add_task("checking" if is_dry_run else "booking", total=len(lines))
            told += booking.each(lines, progress=lambda: bars.advance(task))
    return how, sorted(told, key=lambda one: one.number)


@contextmanager
def _alone(environ: Environ[str, str]) -> Iterator[None]:
    """Let no other import in; the lock goes with the connection."""
    with writer_connection(environ) as connection:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        if row is None or not row[0]:
            raise ImportBusy("another bank file is being imported; try again when it is done")
        yield


@dataclass(frozen=True, slots=True)
class _Booking:
    ledger: Ledger
    people: Connection[Any]
    mapping: Mapping
    operator: str
    reference_key: str
    is_dry_run: bool

    def each(self, lines: Sequence[Line], *, progress: Callable[[], None]) -> Iterator[Told]:
        for line in lines:
            yield self._line(line)
            progress()

    def _line(self, line: Line) -> Told:
        if line.amount_micros <= 0:
            return Told(
                number=line.number,
                outcome="paid-out",
                detail="not money that came in: book it by hand where it takes a payment back",
                amount_micros=line.amount_micros,
            )
        transfer = Transfer(
            channel=self.mapping.channel,
            reference_hash=reference_hash(line.reference, key_hex=self.reference_key),
            amount_micros=line.amount_micros,
            currency=self.mapping.currency,
            account=line.account,
            operator=self.operator,
            now=datetime.now(UTC),
        )
        try:
            return self._told(line, transfer)
        except LedgerError as error:
            return _wrong(WrongLine(line.number, str(error)))

    def _told(self, line: Line, transfer: Transfer) -> Told:
        known, reason = known_as(self.ledger, transfer), why_not(self.ledger, transfer)
        if known is not None:
            return self._as("repeated", line, f"is in the ledger already, position {known}", known)
        position = 0 if self.is_dry_run else self._booked(line, transfer)
        if reason:
            return self._as("kept", line, f"receipt {transfer.receipt}: {reason}", position)
        return self._as("credited", line, f"account {transfer.account}", position)

    def _booked(self, line: Line, transfer: Transfer) -> int:
        # First where it can be erased: what is in the ledger can then always be led back to its line.
        keep_reference(
            self.people,
            account=transfer.account,
            reference=line.reference,
            reference_hash=transfer.reference_hash,
        )
        deadline = time.monotonic() + _BEHIND_FOR_S
        while True:
            try:
                return book_transfer(self.ledger, transfer).position
            except BalancesBehind:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _as(self, outcome: Outcome, line: Line, detail: str, position: int) -> Told:
        return Told(
            number=line.number,
            outcome=outcome,
            detail=detail,
            amount_micros=line.amount_micros,
            position=position,
        )


def _wrong(line: WrongLine) -> Told:
    return Told(number=line.number, outcome="wrong", detail=line.problem)
