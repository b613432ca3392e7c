-- The audit of configuration names the client and the request, covers replays, and no role can write it but by changing
-- something. Hosts, teams and keys have versions, so that two writers cannot undo each other unseen.

-- The number v1 knows an object by: a rule's id, else the CRC-32 of the name without its highest bit. (UTF-8 is UTF-8
-- for good, so this is immutable, whatever convert_to says of itself.)
CREATE FUNCTION record_number(kind text, object text) RETURNS integer LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN CASE WHEN kind = 'alert_rules' THEN object::integer
                ELSE (crc32(convert_to(object, 'UTF8')) & 2147483647)::integer END;
END $$;

ALTER TABLE config_audit
    ADD COLUMN client_id  text,
    ADD COLUMN request_id text,
    ADD COLUMN record_id  integer NOT NULL GENERATED ALWAYS AS (record_number(table_name, object)) STORED;
CREATE INDEX config_audit_time ON config_audit (changed_at);
CREATE INDEX config_audit_actor ON config_audit (changed_by, id);
CREATE INDEX config_audit_client ON config_audit (client_id, id) WHERE client_id IS NOT NULL;
CREATE INDEX config_audit_operation ON config_audit (operation, id);
CREATE INDEX config_audit_record ON config_audit (record_id, id);

-- Versions come from one count, so that a host that was deleted and added again never has the version it had before.
CREATE SEQUENCE object_version;
ALTER TABLE development_hosts ADD COLUMN version bigint NOT NULL DEFAULT nextval('object_version');
ALTER TABLE device_teams ADD COLUMN version bigint NOT NULL DEFAULT nextval('object_version');
ALTER TABLE dynamic_config ADD COLUMN version bigint NOT NULL DEFAULT nextval('object_version');

CREATE FUNCTION bump_object_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'updated_at' - 'version' IS DISTINCT FROM to_jsonb(OLD) - 'updated_at' - 'version' THEN
        NEW.version := nextval('object_version');
        NEW.updated_at := now();
    ELSE
        NEW.version := OLD.version;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bump_version BEFORE UPDATE ON development_hosts FOR EACH ROW EXECUTE FUNCTION bump_object_version();
CREATE TRIGGER bump_version BEFORE UPDATE ON device_teams FOR EACH ROW EXECUTE FUNCTION bump_object_version();
CREATE TRIGGER bump_version BEFORE UPDATE ON dynamic_config FOR EACH ROW EXECUTE FUNCTION bump_object_version();

CREATE INDEX alert_rules_updated ON alert_rules (updated_at, id);

-- What the transaction says of itself: mutt.actor, mutt.client_id, mutt.reason, mutt.correlation_id, mutt.request_id.
CREATE FUNCTION said(name text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('mutt.' || name, true), '')
$$;

-- Runs with its owner's rights: a role that may change configuration needs none on the audit, and so cannot forge it.
CREATE OR REPLACE FUNCTION record_config_change() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER AS $$
DECLARE
    counted boolean := TG_TABLE_NAME = 'alert_rules';  -- its versions are content: the audit names them
    unseen  text[]  := CASE WHEN counted THEN '{updated_at}' ELSE '{updated_at,version}' END;
    before  jsonb   := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - unseen END;
    after   jsonb   := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - unseen END;
    actor   text    := coalesce(said('actor'), session_user);
    object  text    := coalesce(after, before) ->> TG_ARGV[0];
    changed_from jsonb;
    changed_to   jsonb;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF before = after THEN RETURN NULL; END IF;
        SELECT jsonb_object_agg(b.key, b.value), jsonb_object_agg(b.key, after -> b.key)
          INTO changed_from, changed_to
          FROM jsonb_each(before) b WHERE b.value IS DISTINCT FROM after -> b.key;
    ELSE
        changed_from := before; changed_to := after;
    END IF;
    INSERT INTO config_audit (changed_by, client_id, operation, table_name, object, old_values, new_values,
                              reason, correlation_id, request_id)
    VALUES (actor, said('client_id'),
            CASE WHEN TG_OP = 'INSERT' THEN 'CREATE'
                 WHEN TG_OP = 'DELETE' OR (before ->> 'retired_at' IS NULL AND after ->> 'retired_at' IS NOT NULL) THEN 'DELETE'
                 ELSE 'UPDATE' END,
            TG_TABLE_NAME, object, changed_from, changed_to, said('reason'), said('correlation_id'), said('request_id'));
    IF counted AND TG_OP <> 'DELETE' THEN
        INSERT INTO alert_rule_versions (rule_id, version, body, changed_by)
        VALUES ((after ->> 'id')::integer, (after ->> 'version')::integer, after, actor);
    END IF;
    RETURN NULL;
END $$;

-- A replay says itself who ordered it and why; it is no change of a value, so it has an operation of its own.
CREATE FUNCTION record_replay() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO config_audit (changed_by, client_id, operation, table_name, object, new_values,
                              reason, correlation_id, request_id)
    VALUES (NEW.actor, said('client_id'), 'REPLAY', TG_TABLE_NAME, NEW.id::text, jsonb_build_object('filter', NEW.filter),
            NEW.reason, said('correlation_id'), said('request_id'));
    RETURN NULL;
END $$;
CREATE TRIGGER audit_replay AFTER INSERT ON replays FOR EACH ROW EXECUTE FUNCTION record_replay();

-- Moves the count of changes for whoever may change something, without a right on the count itself.
CREATE OR REPLACE FUNCTION announce_config_change() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER AS $$
BEGIN
    UPDATE ruleset_version SET version = version + 1;
    PERFORM pg_notify('mutt_config', TG_TABLE_NAME);
    RETURN NULL;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON alert_rule_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A function with its owner's rights looks up names where it was made, and last in its caller's temporary tables: else a
-- temporary table called config_audit would swallow the audit.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{record_config_change,record_replay,announce_config_change}'::text[] LOOP
        EXECUTE format('ALTER FUNCTION %I() SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
END $$;
