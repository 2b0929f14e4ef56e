"""A credit policy written as the file that says it."""

import json
from collections.abc import Iterator

from ledger.domain.credit.policy import CreditPolicy, FriendlyTimes
from ledger.domain.local_hours import times_text
from ledger.values.money import text_from_micros


def policy_text(policy: CreditPolicy) -> str:
    """Return the TOML text that is read as this very policy."""
    return "\n".join(_lines(policy)) + "\n"


def _lines(policy: CreditPolicy) -> Iterator[str]:
    yield f"zone = {json.dumps(policy.zone)}"
    yield f"warnings = {json.dumps([text_from_micros(micros) for micros in policy.warnings_micros])}"
    yield f'cut_at = "{text_from_micros(policy.cut_at_micros)}"'
    yield f'reconnect_margin = "{text_from_micros(policy.reconnect_micros)}"'
    yield f'charges_while_off = "{policy.charges_while_off}"'
    yield f"order = {json.dumps(list(policy.order))}"
    if policy.emergency is not None:
        yield "\n[emergency]"
        yield f'limit = "{text_from_micros(policy.emergency.limit_micros)}"'
        yield f'offered_below = "{text_from_micros(policy.emergency.offered_below_micros)}"'
        yield f'taken = "{policy.emergency.taken}"'
    yield "\n[debt]"
    yield f'per_day = "{text_from_micros(policy.debt.per_day_micros)}"'
    points = policy.debt.top_up_basis_points
    yield f'percent_of_top_up = "{points // 100}.{points % 100:02d}"'
    if policy.debt.week_cap_micros is not None:
        yield f'week_cap = "{text_from_micros(policy.debt.week_cap_micros)}"'
    yield "\n[top_up]"
    yield f'least = "{text_from_micros(policy.top_up_least_micros)}"'
    if policy.top_up_most_micros is not None:
        yield f'most = "{text_from_micros(policy.top_up_most_micros)}"'
    yield from _friendly(policy.friendly)


def _friendly(friendly: FriendlyTimes) -> Iterator[str]:
    yield "\n[friendly]"
    yield f"dates = [{', '.join(day.isoformat() for day in friendly.dates)}]"
    yield f"country = {json.dumps(friendly.country)}"
    yield f"subdivision = {json.dumps(friendly.subdivision)}"
    yield f"holidays = [{', '.join(day.isoformat() for day in friendly.holidays)}]"
    for hours in friendly.hours:
        yield "\n[[friendly.hours]]"
        yield f"days = {json.dumps(list(hours.days))}"
        yield f'times = ["{times_text(hours)}"]'
