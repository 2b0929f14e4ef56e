-- Read models, fed from the ledger's log; each can be thrown away and rebuilt from event one (design I5).
-- A row's `position` is that of the newest event that touched it, whatever batch brought the event.

CREATE SCHEMA projections;

-- How far each read model has been fed; moved in the transaction that feeds it.
CREATE TABLE projections.tracking (
    name text PRIMARY KEY,
    position bigint NOT NULL
) WITH (fillfactor = 50);

-- What each account has to its credit, in currency units: the negated sum of its prepayment postings.
-- `debited` and `credited` are its positive and its negative postings, both without sign.
CREATE TABLE projections.balances (
    account text PRIMARY KEY,
    site text NOT NULL,
    balance numeric(24, 6) NOT NULL,
    debited numeric(24, 6) NOT NULL,
    credited numeric(24, 6) NOT NULL,
    usage_milliwh numeric(24, 0) NOT NULL,
    debits bigint NOT NULL,
    top_ups bigint NOT NULL,
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

-- Every supply point: where it is, which meter measures it. Empty text is "none yet".
CREATE TABLE projections.supplies (
    supply text PRIMARY KEY,
    site text NOT NULL,
    concentrator text NOT NULL,
    building text NOT NULL,
    room text NOT NULL,
    meter text NOT NULL,
    measures text NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 50);

-- Who pays for a supply point, from when; in force at an instant is the newest that began at or before it.
CREATE TABLE projections.occupancies (
    supply text NOT NULL,
    position bigint NOT NULL,
    account text NOT NULL,
    occupied_from timestamptz NOT NULL,
    PRIMARY KEY (supply, position)
);
CREATE INDEX occupancies_account_idx ON projections.occupancies (account);

-- The relays that have a history: what is wanted, what was read back, which locks stand, the newest order.
-- `order_outcome` is empty while nothing is known, `order_readback` is never older than that order; `attempts` are orders in a row for the same end, unconfirmed.
CREATE TABLE projections.relay (
    supply text PRIMARY KEY,
    version bigint NOT NULL,
    desired text NOT NULL,
    actual text NOT NULL,
    locks text[] NOT NULL,
    warned boolean NOT NULL,
    order_sequence bigint NOT NULL,
    order_outcome text NOT NULL,
    order_readback text NOT NULL,
    order_issued_at timestamptz,
    order_expires_at timestamptz,
    attempts bigint NOT NULL,
    disconnections bigint NOT NULL,
    reconnections bigint NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 50);

-- Each site's settings; in force at an instant are those that took effect last at or before it.
CREATE TABLE projections.sites (
    site text NOT NULL,
    effective_from timestamptz NOT NULL,
    reconnection text NOT NULL,
    warning_balance numeric(24, 6) NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (site, effective_from)
);

-- Readings held instead of billed. One that opened an episode is open for as long as its supply is in that episode;
-- an interval stands for itself.
CREATE TABLE projections.held_readings (
    supply text NOT NULL,
    meter text NOT NULL,
    reading uuid NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    read_at timestamptz NOT NULL,
    claimed_milliwh numeric(24, 0) NOT NULL,
    opened_episode boolean NOT NULL,
    is_open boolean NOT NULL,
    position bigint PRIMARY KEY
);
CREATE INDEX held_readings_supply_idx ON projections.held_readings (supply);
CREATE INDEX held_readings_episode_idx ON projections.held_readings (supply) WHERE opened_episode AND is_open;

-- The journal: every posting of every event, straight from the events, so that it cannot disagree with them.
-- Micro-units are multiplied, not divided: numeric division rounds beyond sixteen digits.
CREATE VIEW projections.journal AS
SELECT
    e.notification_id AS position,
    p.ordinality AS line,
    e.topic,
    (f.fact ->> 'recorded_at')::timestamptz AS recorded_at,
    p.posting ->> 0 AS code,
    p.posting ->> 1 AS account,
    ((p.posting ->> 2)::numeric * 0.000001)::numeric(24, 6) AS amount
FROM ledger.events AS e
CROSS JOIN LATERAL (SELECT convert_from(e.state, 'UTF8')::jsonb AS fact) AS f
CROSS JOIN LATERAL jsonb_array_elements(f.fact -> 'postings') WITH ORDINALITY AS p (posting, ordinality)
WHERE f.fact ? 'postings';

CREATE VIEW projections.trial_balance AS
SELECT code, sum(amount) AS amount, sum(postings) AS postings
FROM projections.journal_daily
GROUP BY code;
