-- Automatic top-ups: the charges of bound methods, kept before the provider is asked; what it calls those methods.

-- A charge of a bound method, under whose code and attempt the provider is asked.
CREATE TABLE payments.charges (
    charge text PRIMARY KEY,
    account text NOT NULL,
    method text NOT NULL,
    provider text NOT NULL,
    -- which binding of the method it charges: a code may be bound again, to another card
    method_hash text NOT NULL,
    rhythm text NOT NULL,
    -- the local date that it is due for, and the one in whose caps it counts
    due_on date NOT NULL,
    made_on date NOT NULL,
    amount_micros bigint NOT NULL CHECK (amount_micros > 0),
    currency text NOT NULL,
    -- waiting (to be asked), asking, pending (the provider will tell), unknown (for a person); booked; given-up (it
    -- failed for good), dropped (it was not wanted any more), capped (nobody was asked)
    state text NOT NULL
        CHECK (state IN ('waiting', 'asking', 'pending', 'unknown', 'booked', 'given-up', 'dropped', 'capped')),
    attempt integer NOT NULL DEFAULT 1,
    tries integer NOT NULL DEFAULT 0,
    first_asked_at timestamptz,
    -- the payment of this attempt, once the provider has named it
    reference_hash text NOT NULL DEFAULT '',
    not_before timestamptz NOT NULL,
    detail text NOT NULL DEFAULT '',
    position bigint NOT NULL DEFAULT 0,
    made_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
);
-- One at a time per account, whatever two processes believe; what nobody knows the outcome of stands in the way, too.
CREATE UNIQUE INDEX charges_open_idx ON payments.charges (account)
    WHERE state IN ('waiting', 'asking', 'pending', 'unknown');
-- A date of a schedule is charged once, or given up once.
CREATE UNIQUE INDEX charges_scheduled_idx ON payments.charges (account, due_on)
    WHERE rhythm = 'schedule' AND state NOT IN ('capped', 'dropped');
CREATE INDEX charges_account_idx ON payments.charges (account, made_on);
CREATE INDEX charges_payment_idx ON payments.charges (provider, reference_hash) WHERE reference_hash <> '';

-- A provider's own name for a method: personal data, erased with the person.
CREATE TABLE people.payment_methods (
    account text NOT NULL,
    method text NOT NULL,
    token text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, method)
);

-- Which accounts have rhythms, without reading the whole log.
CREATE INDEX events_autopay_idx ON ledger.events (notification_id) WHERE topic LIKE 'autopay.%';

GRANT SELECT, INSERT, UPDATE ON payments.charges TO wattledger_payments;
GRANT SELECT ON people.payment_methods TO wattledger_payments;

-- The API keeps what consumers bind; it reads no token back.
GRANT SELECT ON payments.charges TO wattledger_api;
GRANT INSERT, DELETE, SELECT (account, method) ON people.payment_methods TO wattledger_api;

GRANT SELECT, INSERT, UPDATE, DELETE ON people.payment_methods TO wattledger_people;
GRANT SELECT ON payments.charges TO wattledger_writer, wattledger_finance, wattledger_auditor;
-- A person who has found out what became of a charge says so.
GRANT UPDATE ON payments.charges TO wattledger_writer;
