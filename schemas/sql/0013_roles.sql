-- What the roles of docs/ACCESS.md may do only through functions with their owner's rights: make a partition of the
-- audit, and take archived rows out of the audit of configuration, which nobody may delete from.

-- Whoever may read one table may read the other.
CREATE FUNCTION share_reads(source regclass, target regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    reader oid;
BEGIN
    FOR reader IN SELECT DISTINCT a.grantee FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
                   WHERE c.oid = source AND a.privilege_type = 'SELECT' AND a.grantee NOT IN (0, c.relowner) LOOP
        EXECUTE format('GRANT SELECT ON %s TO %I', target, pg_get_userbyid(reader));
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION create_audit_partition(month date) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    first date := date_trunc('month', month);
    name  text := 'audit_' || to_char(first, 'YYYY_MM');
BEGIN
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF audit FOR VALUES FROM (%L) TO (%L)',
                   name, first::text || ' 00:00:00+00', (first + interval '1 month')::date::text || ' 00:00:00+00');
    PERFORM keep_append_only(name::regclass);
    PERFORM share_reads('audit', name::regclass);
    RETURN name;
END $$;

-- Deletes rows at these places; the trigger lets none go but those of an archive that this transaction verified.
CREATE FUNCTION retention_delete_config_audit(places tid[]) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    done bigint;
BEGIN
    DELETE FROM config_audit WHERE ctid = ANY(places);
    GET DIAGNOSTICS done = ROW_COUNT;
    RETURN done;
END $$;

-- A minute that comes late adds to its sums for whoever may write the minute.
ALTER FUNCTION add_sli_sums() SECURITY DEFINER;

REVOKE EXECUTE ON FUNCTION create_audit_partition(date), retention_delete_config_audit(tid[]) FROM PUBLIC;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{create_audit_partition(date),retention_delete_config_audit(tid[]),add_sli_sums()}'::text[] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
END $$;
