-- The HTTP API: its keys, hashed at rest, and the role it connects as.

CREATE SCHEMA api;

-- A key is shown once, when it is made; what is kept is its SHA-256. `scopes` say what it may do.
CREATE TABLE api.keys (
    id text PRIMARY KEY,
    name text NOT NULL,
    scopes text[] NOT NULL,
    digest bytea NOT NULL UNIQUE,
    requests_per_minute integer NOT NULL CHECK (requests_per_minute > 0),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_by text,
    revoked_at timestamptz
);

DO $$
BEGIN
    EXECUTE 'CREATE ROLE wattledger_api LOGIN';
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

GRANT USAGE ON SCHEMA ledger, projections, api TO wattledger_api;
GRANT USAGE ON SCHEMA api TO wattledger_writer, wattledger_auditor;
GRANT SELECT, INSERT ON ledger.events, ledger.command_keys TO wattledger_api;
GRANT SELECT, UPDATE ON ledger.gate TO wattledger_api;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger, projections TO wattledger_api;
GRANT SELECT ON api.keys TO wattledger_api, wattledger_auditor;
GRANT SELECT, INSERT, UPDATE ON api.keys TO wattledger_writer;
ALTER DEFAULT PRIVILEGES IN SCHEMA projections GRANT SELECT ON TABLES TO wattledger_api;
