-- Credit: emergency credit taken, charges accrued, what the local week repaid, what time alone charged last.
ALTER TABLE projections.account_conditions
    ADD COLUMN accrued numeric(24, 6) NOT NULL DEFAULT 0,
    ADD COLUMN emergency_limit numeric(24, 6) NOT NULL DEFAULT 0,
    ADD COLUMN collected numeric(24, 6) NOT NULL DEFAULT 0,
    ADD COLUMN collected_week text NOT NULL DEFAULT '',
    ADD COLUMN time_charges numeric(24, 6) NOT NULL DEFAULT 0,
    ADD COLUMN time_charged_at timestamptz;
