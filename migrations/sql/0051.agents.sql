-- Agents who sell top-ups: where each stands. What they sold, and under which numbers, is in their streams.
CREATE TABLE projections.agents (
    agent text PRIMARY KEY,
    currency text NOT NULL,
    commission_bps integer NOT NULL,
    commission_fixed numeric NOT NULL,
    float_limit numeric NOT NULL,
    is_open boolean NOT NULL,
    receipts bigint NOT NULL,
    held numeric NOT NULL,
    sold numeric NOT NULL,
    undone numeric NOT NULL,
    commission numeric NOT NULL,
    deposited numeric NOT NULL,
    changed_at timestamptz NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON projections.agents TO wattledger_projector;
GRANT SELECT ON projections.agents TO
    wattledger_writer, wattledger_control, wattledger_projector, wattledger_finance, wattledger_auditor,
    wattledger_api;

-- Whose key it is: what it tops up is that agent's sale.
ALTER TABLE api.keys ADD COLUMN agent text NOT NULL DEFAULT '';
