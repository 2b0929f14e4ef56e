-- The worklist over HTTP, too; and which meters were recharged of late without reading all that was ever told.
GRANT SELECT ON ledger.meter_credit TO wattledger_api;
CREATE INDEX meter_credit_recharges_idx ON ledger.meter_credit (told_at)
    WHERE name = 'purchases' OR starts_with(name, 'recharge');
