"""What the `calendar` process tells Prometheus."""

from prometheus_client import Counter, Gauge

IS_ACTIVE = Gauge("wattledger_calendar_is_active", "1 where this calendar publishes ticks")
CONCENTRATORS = Gauge("wattledger_calendar_concentrators", "Concentrators that dates are announced for")
TICKS_PUBLISHED = Counter("wattledger_calendar_ticks_published_total", "Ticks given to the broker, repeats included")
DAYS_BEHIND = Gauge(
    "wattledger_calendar_days_behind", "Ended local dates not charged yet, at the concentrator furthest behind"
)
