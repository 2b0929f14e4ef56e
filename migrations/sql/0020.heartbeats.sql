-- The last heartbeat of each collector and concentrator: how it fares, by its own word, and when it was heard.
CREATE TABLE ledger.heartbeats (
    concentrator text NOT NULL,
    collector text NOT NULL,
    at timestamptz NOT NULL,
    heard_at timestamptz NOT NULL,
    meters integer NOT NULL,
    failing integer NOT NULL,
    spool_sweeps bigint NOT NULL,
    spool_oldest_s bigint NOT NULL,
    PRIMARY KEY (concentrator, collector)
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE ON ledger.heartbeats TO wattledger_writer;
GRANT SELECT ON ledger.heartbeats TO
    wattledger_control, wattledger_projector, wattledger_finance, wattledger_auditor;
