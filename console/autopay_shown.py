"""What tops an account up by itself, in words; charges as a table."""

from collections.abc import Iterable, Iterator
from datetime import UTC

from rich.table import Table

from console.payments.charges import Charge
from ledger.domain.autopay import Autopay
from ledger.values.money import text_from_micros


def told(autopay: Autopay, *, currency: str) -> Iterator[str]:
    """Yield what holds, line by line."""
    for code, bound in sorted(autopay.methods.items()):
        yield f"method {code}: at {bound.provider}, bound {bound.recorded_at.astimezone(UTC):%Y-%m-%d}"
    schedule, threshold = autopay.schedule, autopay.threshold
    if schedule is not None:
        amount = text_from_micros(schedule.amount_micros)
        yield f"schedule: {amount} {currency} every {schedule.every} from {schedule.from_date}, by {schedule.method}"
    if threshold is not None:
        amount, below = text_from_micros(threshold.amount_micros), text_from_micros(threshold.below_micros)
        yield f"threshold: {amount} {currency} below {below} {currency}, by {threshold.method}"
    if not autopay.methods:
        yield "nothing tops it up by itself; `wattledger autopay bind`"
    day, month = text_from_micros(autopay.day_cap_micros), text_from_micros(autopay.month_cap_micros)
    yield f"caps: {day} {currency} a day, {month} {currency} a month"


def charges_table(rows: Iterable[Charge]) -> Table:
    """Return charges, as they stand."""
    table = Table("charge", "account", "method", "for", "due", "state", "attempt")
    table.add_column("amount", justify="right")
    table.add_column("detail")
    for row in rows:
        amount = f"{text_from_micros(row.amount_micros)} {row.currency}"
        words = (row.charge, row.account, row.method, row.rhythm, f"{row.due_on}", row.state, f"{row.attempt}")
        table.add_row(*words, amount, detail_of(row))
    return table


def detail_of(charge: Charge) -> str:
    """Return why a charge stands as it does, and until when."""
    if charge.state == "booked":
        return f"position {charge.position}"
    if charge.state == "waiting" and charge.detail:
        return f"{charge.detail}; asked for after {charge.not_before.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return charge.detail
