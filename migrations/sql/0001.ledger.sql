-- The ledger: events that nothing rewrites, the gate that orders their commits, and what moves with them.

CREATE SCHEMA ledger;

-- One row per event. `state` is the fact as JSON bytes, exactly as it was booked. `notification_id` is the
-- event's position in the ledger: given out under the gate, gapless, in commit order.
CREATE TABLE ledger.events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text NOT NULL,
    state bytea NOT NULL,
    notification_id bigint NOT NULL,
    PRIMARY KEY (originator_id, originator_version)
) WITH (autovacuum_vacuum_threshold = 100000000, autovacuum_analyze_scale_factor = 0.05);

CREATE UNIQUE INDEX events_notification_id_idx ON ledger.events (notification_id);

-- What is neither a debit nor a held reading is rare: an index of it costs the hot path nothing, and lets the
-- publisher of orders and a starting worker read the events they need without passing over a billion debits.
CREATE INDEX events_control_idx ON ledger.events (notification_id)
    WHERE topic NOT LIKE 'meter.%';

-- Writers lock this one row instead of the events table, so that VACUUM and they never wait for each other.
-- `head` is the newest position; `control_head` the newest change to anything that pricing depends on.
CREATE TABLE ledger.gate (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    head bigint NOT NULL DEFAULT 0,
    control_head bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO ledger.gate DEFAULT VALUES;

-- How far each Kafka partition has been applied: the ledger, not Kafka, is the authority (design I2).
-- `position` is the offset of the last applied message, `digest` the SHA-256 of its key and value.
CREATE TABLE ledger.positions (
    cluster text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    position bigint NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (cluster, topic, partition)
) WITH (fillfactor = 50);

-- The last sweep applied of each collector and concentrator: what is not its successor is not applied.
-- The counters make what was not applied queryable (design I9).
CREATE TABLE ledger.sweeps (
    collector text NOT NULL,
    concentrator text NOT NULL,
    sequence bigint NOT NULL,
    duplicates bigint NOT NULL DEFAULT 0,
    out_of_sequence bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (collector, concentrator)
) WITH (fillfactor = 50);

-- What a meter said without using anything: later usage is apportioned from `seen_at`. The counters are of
-- readings that created no event: at or before billed-to, or consistent with an open episode of held readings.
CREATE TABLE ledger.meters_seen (
    supply text PRIMARY KEY,
    seen_at timestamptz,
    superseded bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- Messages that cannot be applied, whole and with the reason; published from here to their topic.
CREATE TABLE ledger.dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cluster text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    message_offset bigint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    key bytea,
    payload bytea,
    kept_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    UNIQUE (cluster, topic, partition, message_offset)
);
CREATE INDEX dead_letters_unpublished_idx ON ledger.dead_letters (id) WHERE published_at IS NULL;

-- Readings that belong to no meter stream we may write here: unknown meters, or meters of another concentrator.
CREATE TABLE ledger.stray_readings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    concentrator text NOT NULL,
    collector text NOT NULL,
    sequence bigint NOT NULL,
    meter text NOT NULL,
    reason text NOT NULL,
    reading jsonb NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stray_readings_meter_idx ON ledger.stray_readings (meter);

-- The caller's key of every command that moves money, with a digest of its content (atomic is not idempotent).
CREATE TABLE ledger.command_keys (
    key text PRIMARY KEY,
    digest bytea NOT NULL,
    content jsonb NOT NULL,
    position bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);

-- How far the publisher of relay orders has read the log, and the orders whose outcome is not yet known.
CREATE TABLE ledger.outbox (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    position bigint NOT NULL DEFAULT 0
);
INSERT INTO ledger.outbox DEFAULT VALUES;
CREATE TABLE ledger.outbox_orders (
    supply text PRIMARY KEY,
    sequence bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    command bytea NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    sent_at timestamptz
);
