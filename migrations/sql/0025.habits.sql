-- What each account's hours of the week cost, for the forecast of when its credit runs out: the newest such hour (counted
-- from a Monday long ago, in UTC), its cost so far, and the mean of those before it (-1: there were none).
CREATE TABLE projections.habits (
    account text NOT NULL,
    slot smallint NOT NULL,
    hour bigint NOT NULL,
    cost_micros bigint NOT NULL,
    mean_micros bigint NOT NULL,
    PRIMARY KEY (account, slot)
) WITH (fillfactor = 50);

GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON projections.habits TO wattledger_projector;
GRANT SELECT ON projections.habits TO
    wattledger_writer, wattledger_control, wattledger_finance, wattledger_auditor, wattledger_api;
