-- What was told of which event, once: no personal data, only that it was, by which channel, and how it went. A row
-- is there before anything is sent (`sending`), so that who dies meanwhile sends at most once more.
CREATE SCHEMA notices;
CREATE TABLE notices.told (
    position bigint NOT NULL,
    account text NOT NULL,
    kind text NOT NULL,
    channel text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('waiting', 'sending', 'sent', 'failed', 'limited', 'unknown')),
    attempts integer NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    detail text NOT NULL DEFAULT '',
    PRIMARY KEY (position, account, kind, channel)
);
CREATE INDEX told_due_idx ON notices.told (not_before) WHERE outcome IN ('waiting', 'sending');
CREATE INDEX told_account_idx ON notices.told (account, changed_at);

-- How far the log is taken in; begins at the ledger's head, for nobody wants to be told of last year.
CREATE TABLE notices.position (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL
);

DO $$
BEGIN
    EXECUTE 'CREATE ROLE wattledger_notifier LOGIN';
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
REVOKE ALL ON SCHEMA notices FROM PUBLIC;
GRANT USAGE ON SCHEMA ledger, projections, people, notices TO wattledger_notifier;
GRANT SELECT ON ledger.events, ledger.gate TO wattledger_notifier;
GRANT SELECT ON projections.balances, projections.occupancies TO wattledger_notifier;
GRANT SELECT ON people.details TO wattledger_notifier;
GRANT SELECT, INSERT, UPDATE ON notices.told, notices.position TO wattledger_notifier;
GRANT USAGE ON SCHEMA notices TO wattledger_finance, wattledger_auditor, wattledger_api;
GRANT SELECT ON notices.told, notices.position TO wattledger_finance, wattledger_auditor, wattledger_api;
