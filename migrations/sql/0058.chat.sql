-- Where a person is reached in a chat, such as a chat's number; how it is reached is a setting of `notify`.
ALTER TABLE people.details DROP CONSTRAINT details_kind_check;
ALTER TABLE people.details ADD CONSTRAINT details_kind_check CHECK (
    kind IN ('name', 'phone', 'email', 'address', 'ip', 'note', 'locale', 'channels', 'webhook', 'chat')
);
