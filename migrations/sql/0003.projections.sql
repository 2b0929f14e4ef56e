-- Read models, fed from the ledger's log; each can be thrown away and rebuilt from event one (design I5).

CREATE SCHEMA projections;

CREATE TABLE projections.tracking (
    name text PRIMARY KEY,
    position bigint NOT NULL
) WITH (fillfactor = 50);

-- What each account has to its credit, in currency units: the negated sum of its prepayment postings.
CREATE TABLE projections.balances (
    account text PRIMARY KEY,
    site text NOT NULL,
    balance numeric(24, 6) NOT NULL,
    debited numeric(24, 6) NOT NULL,
    credited numeric(24, 6) NOT NULL,
    usage_milliwh numeric(24, 0) NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 50);

-- Postings per accounting day (UTC date of recording), code and account.
CREATE TABLE projections.journal_daily (
    day date NOT NULL,
    code text NOT NULL,
    account text NOT NULL,
    amount numeric(24, 6) NOT NULL,
    postings bigint NOT NULL,
    PRIMARY KEY (day, code, account)
) WITH (fillfactor = 50);

-- Every supply with its relay as the ledger knows it: what is wanted, what was read back, which locks stand.
CREATE TABLE projections.relay (
    supply text PRIMARY KEY,
    site text NOT NULL,
    account text,
    concentrator text NOT NULL,
    meter text,
    desired text NOT NULL,
    actual text NOT NULL,
    locks text[] NOT NULL,
    warned boolean NOT NULL,
    order_sequence bigint NOT NULL,
    order_state text NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX relay_account_idx ON projections.relay (account);

-- Each site's settings in force, newest version.
CREATE TABLE projections.sites (
    site text PRIMARY KEY,
    reconnection text NOT NULL,
    warning_balance numeric(24, 6) NOT NULL,
    position bigint NOT NULL
);

-- Readings held instead of billed, one row per episode.
CREATE TABLE projections.held_readings (
    supply text NOT NULL,
    meter text NOT NULL,
    reading uuid NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    energy_milliwh numeric(24, 0) NOT NULL,
    position bigint PRIMARY KEY
);

-- The journal: every posting of every event, straight from the events, so that it cannot disagree with them.
CREATE VIEW projections.journal AS
SELECT
    e.notification_id AS position,
    p.ordinality AS line,
    e.topic,
    (f.fact ->> 'recorded_at')::timestamptz AS recorded_at,
    p.posting ->> 0 AS code,
    p.posting ->> 1 AS account,
    ((p.posting ->> 2)::numeric / 1000000)::numeric(24, 6) AS amount
FROM ledger.events AS e
CROSS JOIN LATERAL (SELECT convert_from(e.state, 'UTF8')::jsonb AS fact) AS f
CROSS JOIN LATERAL jsonb_array_elements(f.fact -> 'postings') WITH ORDINALITY AS p (posting, ordinality)
WHERE f.fact ? 'postings';

CREATE VIEW projections.trial_balance AS
SELECT code, sum(amount) AS amount, sum(postings) AS postings
FROM projections.journal_daily
GROUP BY code;
