-- What was paid by which outside reference, without reading the whole log: news of a payment names it by that alone.
CREATE INDEX events_credited_with_idx ON ledger.events ((ledger.fact(state) ->> 'reference_hash'))
    WHERE topic = 'account.credited/1';
