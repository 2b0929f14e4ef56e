-- Whether a supply point's meter was walked through serial, reading, trip and close where it hangs, and came through;
-- and whether a site wants that before any of its supply points is cut for credit.

ALTER TABLE projections.supplies ADD COLUMN commissioned boolean NOT NULL DEFAULT false;
ALTER TABLE projections.sites ADD COLUMN requires_commissioning boolean NOT NULL DEFAULT false;
