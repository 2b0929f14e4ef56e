-- What decisions need of a relay's past (who set which lock, the first warning, grace), as JSON; and when each
-- concentrator was last heard of: one that is silent has an outage, and nobody is warned or cut by old readings.

ALTER TABLE projections.relay ADD COLUMN memory jsonb NOT NULL DEFAULT '{}';
ALTER TABLE ledger.sweeps ADD COLUMN applied_at timestamptz;
CREATE INDEX sweeps_concentrator_idx ON ledger.sweeps (concentrator);
