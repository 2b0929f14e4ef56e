-- How far the calendar's ticks of each concentrator are applied, moved in the same transaction as what they charge.
-- It tells the calendar what to publish next; that no date is charged twice is kept by the meter streams themselves.

CREATE TABLE ledger.ticks (
    concentrator text PRIMARY KEY,
    local_date date NOT NULL,
    applied bigint NOT NULL
);

-- The calendar only reads: supply points and tariffs from the log, and how far its ticks got.
DO $$
BEGIN
    CREATE ROLE wattledger_calendar LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

GRANT SELECT, INSERT, UPDATE ON ledger.ticks TO wattledger_writer;
GRANT SELECT ON ledger.ticks TO
    wattledger_calendar, wattledger_control, wattledger_projector, wattledger_finance, wattledger_auditor;
GRANT USAGE ON SCHEMA ledger TO wattledger_calendar;
GRANT SELECT ON ledger.events, ledger.gate TO wattledger_calendar;
