-- What waits for a person: one row per kind and subject for as long as its cause stands.
CREATE TABLE projections.worklist (
    kind text NOT NULL,
    subject text NOT NULL,
    since timestamptz NOT NULL,
    detail text NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (kind, subject)
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON projections.worklist TO wattledger_projector;
GRANT SELECT ON projections.worklist TO
    wattledger_writer, wattledger_control, wattledger_finance, wattledger_auditor;
