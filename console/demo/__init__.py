"""The demo: a dozen simulated households on the whole system, from the first reading to the last watt-hour."""
