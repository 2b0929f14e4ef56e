-- Auditors make temporary copies of read models, to compare them with what the events say (design I5).

DO $$
BEGIN
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO wattledger_auditor', current_database());
END
$$;
GRANT SELECT ON ALL TABLES IN SCHEMA projections TO wattledger_auditor;
ALTER DEFAULT PRIVILEGES IN SCHEMA projections GRANT SELECT ON TABLES TO wattledger_auditor;

-- A trigger stops the tables' owner from rewriting, and this one stops them from taking the trigger away. Only a
-- superuser may make it, and only a superuser gets past it: whose ledger that is, the seals and the witness tell.
DO $$
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RAISE NOTICE 'not migrated as a superuser: the owner of the tables could disable their triggers';
        RETURN;
    END IF;

    CREATE FUNCTION ledger.refuse_disarming() RETURNS event_trigger LANGUAGE plpgsql AS $body$
    DECLARE
        guarded regclass;
    BEGIN
        IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            RETURN;
        END IF;
        FOREACH guarded IN ARRAY ARRAY[
            'ledger.events', 'ledger.seals', 'ledger.seal_leaves', 'ledger.sealing_keys', 'ledger.restores',
            'ledger.command_keys', 'ledger.position_resolutions'
        ]::regclass[] LOOP
            IF (
                SELECT count(*) FROM pg_trigger
                WHERE tgrelid = guarded AND tgfoid = 'ledger.refuse_rewriting'::regproc AND tgenabled IN ('O', 'A')
            ) < 2 THEN
                RAISE EXCEPTION '% on % is refused: a committed event never changes, and what sees to it stays',
                    TG_TAG, guarded USING ERRCODE = 'insufficient_privilege';
            END IF;
        END LOOP;
    END
    $body$;
    CREATE EVENT TRIGGER ledger_stays_armed ON ddl_command_end EXECUTE FUNCTION ledger.refuse_disarming();
END
$$;

-- Every role looks at the newest seal before it starts; the API's, too, which a later migration may have made already.
DO $$
BEGIN
    CREATE ROLE wattledger_api LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
GRANT USAGE ON SCHEMA ledger TO wattledger_api;
GRANT SELECT ON ledger.seals, ledger.witnessed, ledger.restores TO wattledger_api;
