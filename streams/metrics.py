"""What the `price` worker tells Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

READINGS = Counter("wattledger_readings_priced_total", "Readings taken from sweeps, whatever became of them")
DEBITS = Counter("wattledger_debits_total", "Debits appended to the ledger")
CORRECTIONS = Counter("wattledger_corrections_total", "Corrections of billed intervals appended to the ledger")
TICKS = Counter("wattledger_ticks_applied_total", "Ticks of the calendar applied, repeats included")
TIME_CHARGES = Counter("wattledger_time_charges_total", "Days charged and billing periods closed, in events")
HOLDS = Counter("wattledger_readings_held_total", "Held readings recorded", ["reason"])
STRAYS = Counter("wattledger_stray_readings_total", "Readings of unknown or crossed meters", ["reason"])
DEAD_LETTERS = Counter("wattledger_dead_letters_total", "Messages that could not be applied", ["topic", "reason"])
SWEEPS_REFUSED = Counter("wattledger_sweeps_refused_total", "Sweeps not applied", ["reason"])
BATCH_MESSAGES = Histogram(
    "wattledger_batch_messages", "Messages in a batch", ["topic"], buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
BATCH_SECONDS = Histogram("wattledger_batch_seconds", "Time to prepare a batch and send it on its way", ["topic"])
PARTITIONS = Gauge("wattledger_partitions_assigned", "Partitions assigned to this worker")
SEEKS_BACK = Counter("wattledger_seeks_back_total", "Partitions read again because offsets were skipped", ["topic"])
RESULTS = Counter("wattledger_relay_results_total", "Relay results recorded", ["outcome"])
ORDERS_SENT = Counter("wattledger_relay_orders_sent_total", "Relay orders given to the broker, repeats included")
ACKS_SENT = Counter("wattledger_sweep_acks_sent_total", "Sweep acknowledgements given to the broker")
IS_PUBLISHER = Gauge("wattledger_order_publisher", "1 where this worker publishes relay orders")
HEARD = Gauge(
    "wattledger_concentrator_heard_timestamp_seconds",
    "When a concentrator's collector was last heard",
    ["concentrator"],
)
FAILING = Gauge("wattledger_concentrator_failing_meters", "Meters that bring no reading", ["concentrator"])
