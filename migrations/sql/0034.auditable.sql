-- Callers use outside references as keys, and those are personal data: what is kept of a key is its kind and a hash.
-- Where there are keys already, this takes whoever may lift the guard: a superuser, if one migrated 0009.
DO $$
BEGIN
    IF EXISTS (SELECT FROM ledger.command_keys) THEN
        ALTER TABLE ledger.command_keys DISABLE TRIGGER command_keys_are_immutable;
        UPDATE ledger.command_keys SET key = split_part(key, '/', 1) || '/'
            || encode(sha256(convert_to(substr(key, strpos(key, '/') + 1), 'UTF8')), 'hex');
        ALTER TABLE ledger.command_keys ENABLE TRIGGER command_keys_are_immutable;
    END IF;
END
$$;

-- A landlord pays for what is vacant: the supply points of an account are those, too.
CREATE INDEX events_vacated_idx ON ledger.events ((ledger.fact(state) ->> 'landlord'))
    WHERE topic = 'supply.vacated/1';

-- Postings per ten thousand positions and code, so that a trial balance at a position reads no more events than that.
CREATE TABLE projections.journal_blocks (
    block bigint NOT NULL,
    code text NOT NULL,
    amount numeric(24, 6) NOT NULL,
    postings bigint NOT NULL,
    PRIMARY KEY (block, code)
) WITH (fillfactor = 50);
INSERT INTO projections.journal_blocks (block, code, amount, postings)
    SELECT (position - 1) / 10000, code, sum(amount), count(*) FROM projections.journal
    WHERE position <= (SELECT coalesce(max(position), 0) FROM projections.tracking WHERE name = 'journal')
    GROUP BY 1, 2;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON projections.journal_blocks TO wattledger_projector;
GRANT SELECT ON projections.journal_blocks TO
    wattledger_writer, wattledger_control, wattledger_finance, wattledger_auditor;
