"""The event store: eventsourcing on PostgreSQL, written through one gate.

The mapper turns facts into stored bytes, the gate orders every commit, the recorder gives the library its way in,
the log gives readers their way out, and `kafka` keeps what must move together with the events.
"""
