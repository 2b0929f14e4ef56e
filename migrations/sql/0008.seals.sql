-- Seals: events in order under Merkle roots, each seal naming the one before it and signed (RFC 6962 hashing).
-- What rewrites a sealed event must rewrite every later seal, and sign it, and reach the witness outside this database.

DO $$
BEGIN
    CREATE ROLE wattledger_sealer LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

CREATE TABLE ledger.seals (
    number bigint PRIMARY KEY CHECK (number > 0),
    first_position bigint NOT NULL UNIQUE,
    last_position bigint NOT NULL UNIQUE,
    events bigint NOT NULL CHECK (events = last_position - first_position + 1 AND events > 0),
    root bytea NOT NULL,
    previous bytea NOT NULL,
    sealed_at timestamptz NOT NULL,
    key_id text NOT NULL,
    signature bytea NOT NULL
);

-- The hash of every event under a seal: what tells which event of a broken block was touched, and what proofs are
-- made from. They need no trust: either they lead to the seal's root or they are worth nothing.
CREATE TABLE ledger.seal_leaves (
    number bigint PRIMARY KEY REFERENCES ledger.seals (number),
    leaves bytea NOT NULL
);
ALTER TABLE ledger.seal_leaves ALTER COLUMN leaves SET STORAGE EXTERNAL;

-- The public keys that seals were ever signed with; an old one is needed for as long as its seals are.
CREATE TABLE ledger.sealing_keys (
    key_id text PRIMARY KEY,
    public_key bytea NOT NULL,
    first_seal bigint NOT NULL,
    introduced_at timestamptz NOT NULL DEFAULT now()
);

-- The newest seal that the witness is known to have: until then a seal is not acknowledged.
CREATE TABLE ledger.witnessed (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    number bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO ledger.witnessed DEFAULT VALUES;

-- An operator's word that this database, older than its witness, is the one to go on with: `after` is the newest seal
-- that both have, `discarded_seals` are those that only the witness has.
CREATE TABLE ledger.restores (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    after bigint NOT NULL,
    discarded_seals bigint NOT NULL,
    operator text NOT NULL,
    reason text NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT now()
);

GRANT USAGE ON SCHEMA ledger TO wattledger_sealer;
GRANT SELECT ON ledger.events, ledger.gate TO wattledger_sealer;
GRANT SELECT, INSERT ON ledger.seals, ledger.seal_leaves, ledger.sealing_keys, ledger.restores TO wattledger_sealer;
GRANT SELECT ON ledger.witnessed TO wattledger_sealer;
GRANT UPDATE (number) ON ledger.witnessed TO wattledger_sealer;
GRANT SELECT ON ledger.seals, ledger.seal_leaves, ledger.sealing_keys, ledger.witnessed, ledger.restores TO
    wattledger_writer, wattledger_control, wattledger_projector, wattledger_finance, wattledger_auditor;

-- Nothing of this is rewritten either (design I3), whoever owns the tables.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'seals', 'seal_leaves', 'sealing_keys', 'restores', 'position_resolutions', 'command_keys'
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON ledger.%I'
            ' FOR EACH ROW EXECUTE FUNCTION ledger.refuse_rewriting()', name || '_are_immutable', name);
        EXECUTE format(
            'CREATE TRIGGER %I BEFORE TRUNCATE ON ledger.%I'
            ' FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_rewriting()', name || '_are_never_truncated', name);
    END LOOP;
END
$$;

-- The gate's row stays, and positions only grow: a head set back would hand out positions twice.
CREATE FUNCTION ledger.refuse_going_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the ledger only grows', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER gate_never_goes_back BEFORE UPDATE ON ledger.gate FOR EACH ROW
    WHEN (NEW.head < OLD.head OR NEW.control_head < OLD.control_head)
    EXECUTE FUNCTION ledger.refuse_going_back();
CREATE TRIGGER gate_stays BEFORE DELETE ON ledger.gate FOR EACH ROW EXECUTE FUNCTION ledger.refuse_going_back();
CREATE TRIGGER gate_is_never_truncated BEFORE TRUNCATE ON ledger.gate
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_going_back();
