-- When a consumer last consented to their relay being closed; null where none did, or where it was used or overtaken.
ALTER TABLE projections.relay ADD COLUMN consented_at timestamptz;
