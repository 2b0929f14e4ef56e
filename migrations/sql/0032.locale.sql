-- How an account's person wants to be told lies with their other personal data, and goes with it.
ALTER TABLE people.details DROP CONSTRAINT details_kind_check;
ALTER TABLE people.details ADD CONSTRAINT details_kind_check CHECK (
    kind IN ('name', 'phone', 'email', 'address', 'ip', 'note', 'locale', 'channels', 'webhook')
);
