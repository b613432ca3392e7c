-- Erasure: what a device or a person said is taken out on somebody's word. The row keeps its position and its decision, so
-- that the books balance; the audit stays append-only for every other change.

CREATE TABLE erasures (
    id             uuid        PRIMARY KEY,
    actor          text        NOT NULL,
    reason         text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    hostname       text        CHECK (length(hostname) BETWEEN 1 AND 255),
    pattern_sha256 bytea,                            -- of the text that was looked for: itself it would stay here for good
    counts         jsonb       NOT NULL DEFAULT '{}', -- rows by table
    erased_at      timestamptz NOT NULL DEFAULT now(),
    running_in     xid8        NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT of_something CHECK (hostname IS NOT NULL OR pattern_sha256 IS NOT NULL)
);
CREATE INDEX erasures_running ON erasures (running_in);

-- Its transaction writes the counts into it; after that nobody changes it.
CREATE FUNCTION keep_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND OLD.running_in <> pg_current_xact_id()) THEN
        RAISE EXCEPTION 'erasures is append-only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    NEW.running_in := pg_current_xact_id();
    RETURN NEW;
END $$;
CREATE TRIGGER keep_erasure BEFORE INSERT OR UPDATE OR DELETE ON erasures FOR EACH ROW EXECUTE FUNCTION keep_erasure();
CREATE TRIGGER append_only BEFORE TRUNCATE ON erasures FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Whether this transaction has said who erases, and why.
CREATE FUNCTION erasing() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT EXISTS (SELECT FROM erasures WHERE running_in = pg_current_xact_id_if_assigned())
$$;

-- Whether a legal hold keeps a row of this kind, host (null: of all) and time. The caller has locked legal_holds.
CREATE FUNCTION erasure_held(of_kind text, host text, at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM legal_holds h
                    WHERE h.lifted_at IS NULL AND coalesce(h.kind, of_kind) = of_kind
                      AND coalesce(h.hostname = host, true)
                      AND coalesce(at >= h.since, true) AND coalesce(at < h.until, true))
$$;

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME ~ '^audit(_|$)' THEN
        IF erasing() THEN RETURN NULL; END IF;  -- only_erased looks at each row
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

-- An erasure may take the text out of a row of the audit that no hold keeps, and nothing else.
CREATE FUNCTION refuse_more_than_erasure() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    erased audit := OLD;
BEGIN
    erased.message := '[erased]';
    erased.raw := '';
    erased.raw_sha256 := NULL;
    erased.correlation_id := NULL;
    erased.flags := '{erased}';
    IF NOT erasing() OR NEW IS DISTINCT FROM erased OR erasure_held('audit', OLD.hostname, OLD.broker_time) THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_erased BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_more_than_erasure();

-- By this a copy of an erased alert that comes from Kafka again is known as what was committed.
ALTER TABLE alerts ADD COLUMN payload_sha256 bytea;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{keep_erasure(),erasing(),"erasure_held(text,text,timestamptz)",refuse_change(),refuse_more_than_erasure()}'::text[] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
END $$;
