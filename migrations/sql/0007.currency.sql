-- Each account's currency beside its balance, as the event that opened the account has it.
ALTER TABLE projections.balances ADD COLUMN currency text NOT NULL DEFAULT '';

UPDATE projections.balances AS b SET currency = o.fact ->> 'currency'
FROM (
    SELECT convert_from(e.state, 'UTF8')::jsonb AS fact FROM ledger.events AS e
    WHERE e.topic = 'account.opened/1' AND e.topic NOT LIKE 'meter.%'
) AS o
WHERE b.account = o.fact ->> 'account';
