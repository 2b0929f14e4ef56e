-- Online payments: what providers' webhooks told, kept before they are answered. The ledger decides what is booked;
-- these rows say what is left to do.
CREATE SCHEMA payments;

-- One row per event of a provider. Nothing of a person is in it: the payment stands as a keyed hash, and what it was
-- is with personal data.
CREATE TABLE payments.deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    event text NOT NULL,
    news text NOT NULL,
    reference_hash text NOT NULL,
    amount_micros bigint NOT NULL,
    currency text NOT NULL,
    account text NOT NULL,
    charge text NOT NULL,
    fee_micros bigint NOT NULL,
    why text NOT NULL,
    happened_at timestamptz NOT NULL,
    digest bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    -- waiting (to be booked, or for what it follows), booked, noted (moves no money), held (for a person)
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'booked', 'noted', 'held')),
    not_before timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    detail text NOT NULL DEFAULT '',
    position bigint NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (provider, event)
);
CREATE INDEX deliveries_due_idx ON payments.deliveries (not_before, id) WHERE state = 'waiting';
CREATE INDEX deliveries_payment_idx ON payments.deliveries (provider, reference_hash);

DO $$
BEGIN
    EXECUTE 'CREATE ROLE wattledger_payments LOGIN';
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
REVOKE ALL ON SCHEMA payments FROM PUBLIC;
GRANT USAGE ON SCHEMA ledger, projections, payments, people TO wattledger_payments;
GRANT SELECT, INSERT ON ledger.events, ledger.command_keys TO wattledger_payments;
GRANT UPDATE ON ledger.gate TO wattledger_payments;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger, projections TO wattledger_payments;
ALTER DEFAULT PRIVILEGES IN SCHEMA projections GRANT SELECT ON TABLES TO wattledger_payments;
GRANT SELECT, INSERT, UPDATE ON payments.deliveries TO wattledger_payments;
GRANT INSERT ON people.outside_references TO wattledger_payments;

-- The API keeps what webhooks tell; it reads no reference back.
GRANT USAGE ON SCHEMA payments, people TO wattledger_api;
GRANT SELECT, INSERT ON payments.deliveries TO wattledger_api;
GRANT INSERT ON people.outside_references TO wattledger_api;

GRANT USAGE ON SCHEMA payments TO wattledger_writer, wattledger_finance, wattledger_auditor;
GRANT SELECT ON payments.deliveries TO wattledger_writer, wattledger_finance, wattledger_auditor;
-- A person who has looked at what is held lets it be tried again.
GRANT UPDATE ON payments.deliveries TO wattledger_writer;
