-- What account commands ask: which supply points an account has occupied, what stands on it, and what undid what.

-- An account's supply points, for the tariff that says when its taxes fall due. Debits are not in this index.
-- A fact's bytes are UTF-8 whatever the database's encoding is, so what is read from them never changes.
CREATE FUNCTION ledger.fact(state bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT convert_from(state, 'UTF8')::jsonb
$$;
CREATE INDEX events_occupied_idx ON ledger.events ((ledger.fact(state) ->> 'account'))
    WHERE topic = 'supply.occupied/1';

-- An account's sums: read from the daily aggregates, so however many debits they come from.
CREATE INDEX journal_daily_account_idx ON projections.journal_daily (account, code) WHERE account <> '';

-- Accounts in a condition: debt, what is disputed, the notice before which nobody is cut, whether they are closed.
-- An account that was never in one has no row.
CREATE TABLE projections.account_conditions (
    account text PRIMARY KEY,
    debt numeric(24, 6) NOT NULL,
    disputed numeric(24, 6) NOT NULL,
    disputes bigint NOT NULL,
    notice_until timestamptz,
    is_closed boolean NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 50);

-- What undoes, corrects or follows up what: from an event to those that name it.
CREATE TABLE projections.event_links (
    original bigint NOT NULL,
    position bigint NOT NULL,
    relation text NOT NULL,
    PRIMARY KEY (original, position)
);
CREATE INDEX event_links_position_idx ON projections.event_links (position);

-- Commands that wait for a second person, and what became of them.
CREATE TABLE projections.proposals (
    proposal text PRIMARY KEY,
    kind text NOT NULL,
    summary text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    outcome text NOT NULL,
    decided_by text NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON
    projections.account_conditions, projections.event_links, projections.proposals TO wattledger_projector;
GRANT SELECT ON projections.account_conditions, projections.event_links, projections.proposals TO
    wattledger_writer, wattledger_control, wattledger_projector, wattledger_finance, wattledger_auditor;
