-- Money that came in and nobody could place: what became of each receipt.
CREATE TABLE projections.receipts (
    receipt text PRIMARY KEY,
    amount numeric NOT NULL,
    channel text NOT NULL,
    kept_at timestamptz NOT NULL,
    outcome text NOT NULL,
    account text NOT NULL,
    kept_position bigint NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON projections.receipts TO wattledger_projector;
GRANT SELECT ON projections.receipts TO
    wattledger_writer, wattledger_control, wattledger_projector, wattledger_finance, wattledger_auditor,
    wattledger_api;
