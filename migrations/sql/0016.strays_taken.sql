-- Readings that came under a concentrator that their supply point had just left: kept with all that is needed for the
-- owner of the new one to take them in, once. What is unknown or not of its place is never taken.
ALTER TABLE ledger.stray_readings ADD COLUMN partition integer;
ALTER TABLE ledger.stray_readings ADD COLUMN message_offset bigint;
ALTER TABLE ledger.stray_readings ADD COLUMN published_at timestamptz;
ALTER TABLE ledger.stray_readings ADD COLUMN taken_at timestamptz;

CREATE INDEX stray_readings_waiting_idx ON ledger.stray_readings (meter, id)
    WHERE reason = 'other-concentrator' AND taken_at IS NULL;

GRANT UPDATE (taken_at) ON ledger.stray_readings TO wattledger_writer;
