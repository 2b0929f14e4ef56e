-- Who people are: beside the ledger, never in it, and erasable. Events name accounts and keyed hashes only, so that
-- erasing here leaves every event, seal and proof as it was. Only one role may read or write this; not finance.

CREATE SCHEMA people;

-- One row per account and kind of detail: name, phone, email, address, ip, note.
CREATE TABLE people.details (
    account text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('name', 'phone', 'email', 'address', 'ip', 'note')),
    detail text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, kind)
);

-- Raw outside references (a bank's, a payment provider's) by the keyed hash that the event has.
CREATE TABLE people.outside_references (
    reference_hash text PRIMARY KEY,
    account text NOT NULL,
    reference text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outside_references_account_idx ON people.outside_references (account);

DO $$
BEGIN
    CREATE ROLE wattledger_people LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
REVOKE ALL ON SCHEMA people FROM PUBLIC;
GRANT USAGE ON SCHEMA people TO wattledger_people;
GRANT SELECT, INSERT, UPDATE, DELETE ON people.details, people.outside_references TO wattledger_people;
