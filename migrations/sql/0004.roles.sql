-- Each process connects as its own role. Roles belong to the whole server, so they may be there already.
-- Passwords are set by `wattledger migrate` from the environment, never here.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'wattledger_writer', 'wattledger_control', 'wattledger_projector',
        'wattledger_finance', 'wattledger_auditor'
    ] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;

GRANT USAGE ON SCHEMA ledger, projections TO
    wattledger_writer, wattledger_control, wattledger_projector, wattledger_finance, wattledger_auditor;

-- Everyone of ours may read the log; only the writer and control may add to it.
GRANT SELECT ON ledger.events, ledger.gate TO
    wattledger_writer, wattledger_control, wattledger_projector, wattledger_finance, wattledger_auditor;
GRANT INSERT ON ledger.events TO wattledger_writer, wattledger_control;
GRANT UPDATE ON ledger.gate TO wattledger_writer, wattledger_control;

GRANT SELECT, INSERT, UPDATE ON
    ledger.positions, ledger.sweeps, ledger.meters_seen, ledger.dead_letters, ledger.outbox TO wattledger_writer;
GRANT SELECT, INSERT ON ledger.stray_readings, ledger.command_keys TO wattledger_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.outbox_orders TO wattledger_writer;

GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON
    projections.tracking, projections.balances, projections.journal_daily, projections.supplies,
    projections.occupancies, projections.relay, projections.sites, projections.held_readings
    TO wattledger_projector;
-- Rebuilding makes temporary copies of a read model to compare digests.
DO $$
BEGIN
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO wattledger_projector', current_database());
END
$$;

GRANT SELECT ON ALL TABLES IN SCHEMA projections TO
    wattledger_writer, wattledger_control, wattledger_projector, wattledger_finance, wattledger_auditor;
GRANT SELECT ON
    ledger.positions, ledger.sweeps, ledger.meters_seen, ledger.dead_letters, ledger.stray_readings,
    ledger.command_keys, ledger.outbox, ledger.outbox_orders
    TO wattledger_control, wattledger_finance, wattledger_auditor;
