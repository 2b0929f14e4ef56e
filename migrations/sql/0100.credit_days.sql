-- How far the work of credit's days is done at each site: instalments, charges that accrue, reviews that are due. That
-- nothing of it is done twice is kept by the keys of its commands; this row says where to go on.

CREATE TABLE ledger.credit_days (
    site text PRIMARY KEY,
    local_date date NOT NULL
);

-- Protected supply points, without reading the whole log for the few there are.
CREATE INDEX events_protected_idx ON ledger.events (notification_id) WHERE topic = 'supply.protected/1';

-- The calendar does this work, so it may append, and read what it goes by; it changes no read model.
GRANT SELECT, INSERT, UPDATE ON ledger.credit_days TO wattledger_calendar;
GRANT SELECT ON ledger.credit_days TO wattledger_writer, wattledger_control, wattledger_finance, wattledger_auditor;
GRANT INSERT ON ledger.events TO wattledger_calendar;
GRANT UPDATE ON ledger.gate TO wattledger_calendar;
GRANT SELECT, INSERT ON ledger.command_keys TO wattledger_calendar;
GRANT USAGE ON SCHEMA projections TO wattledger_calendar;
GRANT SELECT ON projections.tracking, projections.journal_daily, projections.balances, projections.account_conditions,
    projections.sites, projections.supplies, projections.occupancies, projections.relay TO wattledger_calendar;
