-- What waits for a person, without reading all that was ever delivered.
CREATE INDEX deliveries_held_idx ON payments.deliveries (id) WHERE state = 'held';
