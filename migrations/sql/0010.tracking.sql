-- How far another application's log has been read, for the library's process and tracking recorders; one row each.
-- Its column names are the library's. Kafka positions are in ledger.positions.

CREATE TABLE ledger.tracking (
    application_name text PRIMARY KEY,
    notification_id bigint
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE ON ledger.tracking TO wattledger_writer;
GRANT SELECT ON ledger.tracking TO wattledger_control, wattledger_finance, wattledger_auditor;
