"""What time charged, explained: the tick that it came of, the local dates, and what was lived in of a period."""

from collections.abc import Mapping

from ledger.domain.meter import BillingPeriodClosed, TimeChargeDebited

TimeCharge = TimeChargeDebited | BillingPeriodClosed


def time_evidence(fact: TimeCharge) -> Mapping[str, str]:
    """Return where a time charge came from, in words."""
    source = fact.source
    if source.local_date is None:
        message = f"collector {source.collector}, sequence {source.sequence}"
    else:
        message = f"the calendar's tick of {source.local_date.isoformat()}"
    return {
        "supply point": fact.supply,
        "meter": fact.meter or "none",
        "message": f"{message}; partition {source.partition}, offset {source.message_offset},"
        f" {source.published_at.isoformat()}",
        "recorded": fact.recorded_at.isoformat(),
    }


def time_span(fact: TimeCharge) -> Mapping[str, str]:
    """Return the local dates that a time charge is for, in words."""
    rows = {"from": fact.started_at.isoformat(), "to": fact.ended_at.isoformat()}
    if isinstance(fact, TimeChargeDebited):
        days = (fact.last_date - fact.first_date).days + 1
        rows["local dates"] = f"{fact.first_date.isoformat()} to {fact.last_date.isoformat()}: {days}, whole"
        if fact.contracted_w:
            rows["contracted power"] = f"{fact.contracted_w // 1000}.{fact.contracted_w % 1000:03d} kW"
        return rows
    rows["billing period"] = fact.period
    rows["lived in from"] = "its beginning" if fact.lived_from is None else fact.lived_from.isoformat()
    rows["lived in until"] = "its end" if fact.lived_until is None else fact.lived_until.isoformat()
    return rows | ({"note": fact.note} if fact.note else {})
