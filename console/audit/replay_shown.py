"""An account's history as a table to read, as JSON lines or as CSV; written step by step, however long it is."""

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import msgspec

from ledger.domain.event import Fact
from ledger.domain.meter import Source
from ledger.values.energy import text_from_milliwh
from ledger.values.errors import InvalidValue
from ledger.values.money import text_from_micros
from projections.replay import Asked, Step

Writer = Callable[[Asked, Iterator[Step]], Iterator[str]]

# What the table tells in columns or in lines of their own; JSON and CSV have the whole event.
_TOLD = {"account", "recorded_at", "postings", "lines", "state", "before", "ended_at"}
_NOTHING: tuple[Any, ...] = (None, "", (), [], {})
_CSV = (
    "position", "stream", "version", "topic", "recorded_at", "effective_at", "month", "effective_month", "amount",
    "balance_recorded", "balance_effective", "postings", "event",
)  # fmt: skip


def writer_of(form: str) -> Writer:
    """Return what writes a history in a form; raises InvalidValue where there is none of that name."""
    writers: dict[str, Writer] = {"table": as_table, "jsonl": as_json_lines, "csv": as_csv}
    if form not in writers:
        raise InvalidValue(f"format {form!r} is not known; use {', '.join(writers)}")
    return writers[form]


def as_json_lines(wanted: Asked, steps: Iterator[Step]) -> Iterator[str]:
    """Yield a JSON object per event: the event exactly as it is stored, and what follows from it."""
    encode = msgspec.json.Encoder().encode
    last = None
    for last in steps:
        yield encode(_columns(last) | {"event": msgspec.Raw(last.state)}).decode() + "\n"
    yield encode({"summary": _summary(wanted, last)}).decode() + "\n"


def as_csv(wanted: Asked, steps: Iterator[Step]) -> Iterator[str]:
    """Yield a header and a row per event; the event itself is the JSON in the last column."""
    buffer = StringIO()
    writer = csv.DictWriter(buffer, _CSV, lineterminator="\n")
    writer.writeheader()
    if wanted.closing is not None:
        balance = text_from_micros(wanted.closing.balance_micros)
        opening = {"position": wanted.closing.position, "topic": "balance as closed", "month": wanted.closing.month}
        writer.writerow(opening | {"balance_recorded": balance, "balance_effective": balance})
    for step in steps:
        postings = msgspec.json.encode(step.postings).decode()
        writer.writerow(_columns(step) | {"postings": postings, "event": step.state.decode()})
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def as_table(wanted: Asked, steps: Iterator[Step]) -> Iterator[str]:
    """Yield the history to read: a line per event with its evidence and postings below it, and the balances."""
    yield f"Account {wanted.account} up to position {wanted.position}\n\n"
    has_two = wanted.as_of.year < 9999
    balances = "effective".rjust(18) if has_two else ""
    yield f"{'position':>10}  {'recorded':20}  {'effective':20}  {'amount':>18} {'balance':>18} {balances} event\n"
    if wanted.closing is not None:
        opening = text_from_micros(wanted.closing.balance_micros)
        yield f"{wanted.closing.position:>10}  {'':62} {opening:>18}  balance as {wanted.closing.month} closed\n"
    last = None
    for last in steps:
        yield "".join(_told(last, has_two=has_two))
    yield "\n" + "".join(f"{name}: {value}\n" for name, value in _summary(wanted, last).items())


def _told(step: Step, *, has_two: bool) -> Iterator[str]:
    entry = step.entry
    amount = f"{text_from_micros(entry.amount_micros):>18}" if entry.amount_micros else " " * 18
    balance = f"{text_from_micros(step.recorded_balance_micros):>18}"
    other = f" {text_from_micros(step.effective_balance_micros):>18}" if has_two else ""
    late = "" if entry.month == entry.effective_month else f"  (of {entry.effective_month}, booked in {entry.month})"
    yield (
        f"{entry.position:>10}  {_time(entry.recorded_at)}  {_time(entry.effective_at)}  {amount} {balance}{other}"
        f"  {step.topic}{late}\n"
    )
    yield f"{'':12}{evidence(step.fact)}\n"
    for line in getattr(step.fact, "lines", ()):
        yield f"{'':12}- {_fields(msgspec.structs.asdict(line))}\n"
    for posting in step.postings:
        name = f"{posting.code} {posting.account}".strip()
        yield f"{'':14}{name:<52} {text_from_micros(posting.amount_micros):>18}\n"


def evidence(fact: Fact) -> str:
    """Return what an event rests on, field by field, but for what stands in columns and lines of its own."""
    fields: dict[str, Any] = {
        name: value for name, value in msgspec.structs.asdict(fact).items() if name not in _TOLD and value is not None
    }
    return _fields(fields)


def _fields(fields: dict[str, Any]) -> str:
    told = {name: value for name, value in fields.items() if value not in _NOTHING and value is not False}
    return ", ".join(f"{_name(name)} {_value(name, value)}" for name, value in told.items())


def _name(field: str) -> str:
    return field.removesuffix("_micros").replace("_milliwh", "_kwh")


def _value(name: str, value: Any) -> str:
    """Tell a value as people write it; what has parts is told part by part."""
    if isinstance(value, list | tuple | frozenset):
        return "; ".join(_value(name, part) for part in value)
    if isinstance(value, Source):
        return f"message {value.partition}/{value.message_offset} of {value.collector}"
    if isinstance(value, msgspec.Struct):
        return f"({_fields(msgspec.structs.asdict(value))})"
    if isinstance(value, dict):
        return f"({_fields(value)})"
    return _single(name, value)


def _single(name: str, value: Any) -> str:
    if name.endswith("_micros"):
        return text_from_micros(value)
    if name.endswith("_milliwh"):
        return text_from_milliwh(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value).replace("\n", " ")


def _columns(step: Step) -> dict[str, Any]:
    entry = step.entry
    return {
        "position": entry.position,
        "stream": str(step.stream),
        "version": step.version,
        "topic": step.topic,
        "recorded_at": entry.recorded_at.astimezone(UTC).isoformat(),
        "effective_at": entry.effective_at.astimezone(UTC).isoformat(),
        "month": entry.month,
        "effective_month": entry.effective_month,
        "amount": text_from_micros(entry.amount_micros),
        "balance_recorded": text_from_micros(step.recorded_balance_micros),
        "balance_effective": text_from_micros(step.effective_balance_micros),
    }


def _summary(wanted: Asked, last: Step | None) -> dict[str, Any]:
    opening = 0 if wanted.closing is None else wanted.closing.balance_micros
    recorded = opening if last is None else last.recorded_balance_micros
    effective = opening if last is None else last.effective_balance_micros
    summary: dict[str, Any] = {"account": wanted.account, "position": wanted.position}
    if wanted.closing is not None:
        summary["balance as closed"] = text_from_micros(opening)
    if wanted.as_of.year == 9999:
        return summary | {"balance": text_from_micros(recorded)}
    return summary | {
        "as of": wanted.as_of.isoformat(),
        "balance as recorded by then": text_from_micros(recorded),
        "balance as effective by then": text_from_micros(effective),
    }


def _time(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
