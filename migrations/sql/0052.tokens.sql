-- Meters that take tokens: their secrets, sealed with a key that is not in the database, and what their registers
-- showed, for comparison with what was vended. Neither is money.
CREATE SCHEMA tokens;
CREATE TABLE tokens.devices (
    supply text PRIMARY KEY,
    -- AES-256-GCM: 12 bytes of nonce, then starting code and key, bound to the supply point's code
    sealed bytea NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE tokens.registers (
    supply text NOT NULL,
    read_at timestamptz NOT NULL,
    register_milliwh bigint NOT NULL,
    PRIMARY KEY (supply, read_at)
);
REVOKE ALL ON SCHEMA tokens FROM PUBLIC;
GRANT USAGE ON SCHEMA tokens TO wattledger_writer, wattledger_api, wattledger_finance, wattledger_auditor;
GRANT SELECT, INSERT ON tokens.devices TO wattledger_writer;
GRANT SELECT ON tokens.devices TO wattledger_api;
GRANT SELECT, INSERT ON tokens.registers TO wattledger_writer;
GRANT SELECT ON tokens.registers TO wattledger_api, wattledger_finance, wattledger_auditor;
