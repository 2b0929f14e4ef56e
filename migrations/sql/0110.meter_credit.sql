-- What meters tell of their own credit, purchases and recharge logs: a row whenever what one tells has changed. For
-- comparison with the ledger's accounts, never money.
CREATE TABLE ledger.meter_credit (
    meter text NOT NULL,
    name text NOT NULL,
    told_at timestamptz NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (meter, name, told_at)
);

GRANT SELECT, INSERT ON ledger.meter_credit TO wattledger_writer;
GRANT SELECT ON ledger.meter_credit TO wattledger_finance, wattledger_auditor;
