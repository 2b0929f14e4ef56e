-- The calendar, too, looks at the newest seal before it starts; a later migration may have made its role already.

DO $$
BEGIN
    CREATE ROLE wattledger_calendar LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
GRANT USAGE ON SCHEMA ledger TO wattledger_calendar;
GRANT SELECT ON ledger.seals TO wattledger_calendar;
