-- Retention: what was archived and then taken out, what must stay, and every run. Nothing leaves but what an archive holds.

CREATE TABLE retention_runs (
    id          uuid        PRIMARY KEY,
    actor       text        NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    outcome     text        NOT NULL DEFAULT 'running' CHECK (outcome IN ('running', 'done', 'failed', 'killed')),
    rows        bigint      NOT NULL DEFAULT 0,   -- taken out
    problems    text[]      NOT NULL DEFAULT '{}'
);
CREATE INDEX retention_runs_started ON retention_runs (started_at);

-- One archive: a file NAME.ndjson.gz with its manifest. It is named here before it is begun, so that what a killed run
-- left on the disk is known.
CREATE TABLE retention_archives (
    id             uuid        PRIMARY KEY,
    name           text        NOT NULL UNIQUE CHECK (name ~ '^[a-z_]+[a-z0-9_]*$'),
    kind           text        NOT NULL,          -- the table its rows are of
    part           text        CHECK (part ~ '^audit_[0-9]{4}_[0-9]{2}$'),   -- the partition, where it is a whole one
    schema_version integer     NOT NULL,
    low            timestamptz,                   -- times of its rows: not before this ...
    high           timestamptz,                   -- ... and before this
    rows           bigint,
    bytes          bigint,
    sha256         text,                          -- of the file, hexadecimal
    content_sha256 text,                          -- of what it holds, uncompressed
    state          text        NOT NULL DEFAULT 'writing'
        CHECK (state IN ('writing', 'verified', 'detached', 'removed', 'forgotten')),
    checked_in     xid8,                          -- the transaction that counted the rows of its partition
    created_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz,                   -- its rows are in no table any more
    CONSTRAINT whole CHECK (state = 'writing' OR (sha256 IS NOT NULL AND rows IS NOT NULL AND bytes IS NOT NULL
                                                  AND content_sha256 IS NOT NULL AND low IS NOT NULL AND high IS NOT NULL))
);
CREATE INDEX retention_archives_unfinished ON retention_archives (created_at) WHERE state NOT IN ('removed', 'forgotten');

-- What the ledger counted and an archive holds now: with it the books still add up.
ALTER TABLE ledger
    ADD COLUMN archived_audit   bigint NOT NULL DEFAULT 0,
    ADD COLUMN archived_alerts  bigint NOT NULL DEFAULT 0,
    ADD COLUMN archived_letters bigint NOT NULL DEFAULT 0;   -- offsets that they account for

-- What nobody may delete until it is lifted; null means every table, host, or time on that side.
CREATE TABLE legal_holds (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version     integer     NOT NULL DEFAULT 1,
    kind        text        CHECK (kind IN ('audit', 'alerts', 'dead_letters', 'config_audit', 'sli')),
    hostname    text        CHECK (length(hostname) BETWEEN 1 AND 255),
    since       timestamptz,
    until       timestamptz CHECK (until > since),
    reason      text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    set_by      text        NOT NULL,
    set_at      timestamptz NOT NULL DEFAULT now(),
    lifted_at   timestamptz,
    lifted_by   text,
    lift_reason text        CHECK (length(lift_reason) BETWEEN 1 AND 500),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT lifted_by_somebody CHECK ((lifted_at IS NULL) = (lifted_by IS NULL)
                                         AND (lifted_at IS NULL) = (lift_reason IS NULL))
);
CREATE TRIGGER bump_version BEFORE UPDATE ON legal_holds FOR EACH ROW EXECUTE FUNCTION bump_rule_version();
CREATE TRIGGER audit_change AFTER INSERT OR UPDATE OR DELETE ON legal_holds
    FOR EACH ROW EXECUTE FUNCTION record_config_change('id');

-- Whether a hold keeps a partition that has this archive. The caller has locked legal_holds, if it goes on to delete.
CREATE FUNCTION retention_held(archive retention_archives) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    held  legal_holds;
    found boolean;
BEGIN
    FOR held IN SELECT * FROM legal_holds WHERE lifted_at IS NULL AND coalesce(kind, archive.kind) = archive.kind
                   AND coalesce(since < archive.high, true) AND coalesce(until > archive.low, true) LOOP
        IF held.hostname IS NULL THEN RETURN true; END IF;
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE hostname = $1 AND broker_time >= coalesce($2, ''-infinity'')
                                          AND broker_time < coalesce($3, ''infinity''))', archive.part)
           INTO found USING held.hostname, held.since, held.until;
        IF found THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;

-- Makes sure, and that it stays so until the transaction ends, that a partition holds what its archive does. A partition
-- only ever gets more rows, so the same number is the same rows. Raises where there are others.
CREATE FUNCTION retention_check(archive_id uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    archive retention_archives;
    found   bigint;
BEGIN
    SELECT * INTO STRICT archive FROM retention_archives WHERE id = archive_id AND state = 'verified' FOR UPDATE;
    EXECUTE format('LOCK TABLE ONLY %I IN SHARE MODE', archive.part);
    EXECUTE format('SELECT count(*) FROM ONLY %I', archive.part) INTO found;
    IF found <> archive.rows THEN
        RAISE EXCEPTION '% has % rows, its archive %', archive.part, found, archive.rows
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    UPDATE retention_archives SET checked_in = pg_current_xact_id() WHERE id = archive_id;
END $$;

-- Takes the partition out of the audit, in the transaction that checked it. Whoever reads the audit waits for it.
CREATE FUNCTION retention_detach(archive_id uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    archive retention_archives;
BEGIN
    SELECT * INTO STRICT archive FROM retention_archives
     WHERE id = archive_id AND state = 'verified' AND checked_in = pg_current_xact_id();
    LOCK TABLE legal_holds IN SHARE MODE;
    IF retention_held(archive) THEN
        RAISE EXCEPTION '% is under a legal hold', archive.part USING ERRCODE = 'object_in_use';
    END IF;
    EXECUTE format('ALTER TABLE audit DETACH PARTITION %I', archive.part);
    UPDATE retention_archives SET state = 'detached' WHERE id = archive_id;
END $$;

CREATE FUNCTION retention_drop(archive_id uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    archive retention_archives;
BEGIN
    SELECT * INTO STRICT archive FROM retention_archives WHERE id = archive_id AND state = 'detached' FOR UPDATE;
    LOCK TABLE legal_holds IN SHARE MODE;
    IF retention_held(archive) THEN
        RAISE EXCEPTION '% is under a legal hold', archive.part USING ERRCODE = 'object_in_use';
    END IF;
    EXECUTE format('DROP TABLE %I', archive.part);
    UPDATE retention_archives SET state = 'removed', finished_at = now() WHERE id = archive_id;
END $$;

-- The audit of configuration loses a row only to an archive that was verified in the same transaction (mutt.archive names
-- it), never one younger than a year, and never a reset of the ledger: its books are read by those.
CREATE FUNCTION refuse_unarchived() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM retention_archives a
         WHERE a.id = said('archive')::uuid AND a.kind = TG_TABLE_NAME AND a.state = 'verified'
           AND a.checked_in = pg_current_xact_id() AND a.rows = (SELECT count(*) FROM gone)
           AND NOT EXISTS (SELECT FROM gone WHERE changed_at < a.low OR changed_at >= a.high OR operation = 'LEDGER_RESET'
                                               OR changed_at > now() - interval '365 days')) THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER append_only ON config_audit;
CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON config_audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_but_archived AFTER DELETE ON config_audit REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_unarchived();

REVOKE EXECUTE ON FUNCTION retention_check(uuid), retention_detach(uuid), retention_drop(uuid) FROM PUBLIC;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{retention_check(uuid),retention_detach(uuid),retention_drop(uuid),refuse_unarchived()}'::text[] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
END $$;
