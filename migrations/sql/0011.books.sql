-- The books by account and by accounting month. A transaction belongs to the month in which it took effect while that
-- month is open at its position, else to the oldest open one; `effective_month` keeps when it took effect.

-- The zone and the last closed month ('' while none is) that hold from a position on. `version` is that of the
-- event in the books' stream; after a closing's its balances follow.
CREATE TABLE projections.accounting (
    position bigint PRIMARY KEY,
    version bigint NOT NULL,
    zone text NOT NULL,
    closed_to text NOT NULL
);

-- The index from an account to every event that touches it, in whatever stream: what it adds to the balance,
-- when it was recorded and when it took effect.
CREATE TABLE projections.account_entries (
    account text NOT NULL,
    position bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    effective_at timestamptz NOT NULL,
    month text NOT NULL,
    effective_month text NOT NULL,
    amount numeric(24, 6) NOT NULL,
    PRIMARY KEY (account, position)
);

-- Postings per accounting month, the month in which they took effect, code and account.
CREATE TABLE projections.journal_monthly (
    month text NOT NULL,
    effective_month text NOT NULL,
    code text NOT NULL,
    account text NOT NULL,
    amount numeric(24, 6) NOT NULL,
    postings bigint NOT NULL,
    PRIMARY KEY (month, effective_month, code, account)
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON
    projections.accounting, projections.account_entries, projections.journal_monthly TO wattledger_projector;
GRANT SELECT ON projections.accounting, projections.account_entries, projections.journal_monthly TO
    wattledger_writer, wattledger_control, wattledger_finance, wattledger_auditor;
