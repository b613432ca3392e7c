-- Service level indicators summed up, so that thirty days are read in milliseconds; and declared maintenance.

-- Components of sli: ingestor | forwarder | alert_latency | audit | api.
CREATE INDEX sli_component_minute ON sli (component, minute);
DROP INDEX sli_minute;  -- would be taken for windows of one component, and reads the rows of all

-- Sums of sli, kept by a trigger: never behind, whoever writes. The partition is in the key for the same reason as there.
CREATE TABLE sli_sums (
    component text        NOT NULL,
    step      smallint    NOT NULL,   -- minutes: 15, 60 or 1440, in UTC
    starts_at timestamptz NOT NULL,
    topic     text        NOT NULL,
    partition integer     NOT NULL,
    good      bigint      NOT NULL,
    total     bigint      NOT NULL,
    PRIMARY KEY (component, step, starts_at, topic, partition)
) WITH (fillfactor = 70);

INSERT INTO sli_sums (component, step, starts_at, topic, partition, good, total)
SELECT component, step, date_bin(make_interval(mins => step), minute, 'epoch'), topic, partition, sum(good), sum(total)
  FROM sli CROSS JOIN unnest('{15,60,1440}'::smallint[]) AS step GROUP BY 1, 2, 3, 4, 5;

-- Deleted minutes stay in their sums: retention takes minutes away, not what happened in them.
CREATE FUNCTION add_sli_sums() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sli_sums AS s (component, step, starts_at, topic, partition, good, total)
    SELECT NEW.component, step, date_bin(make_interval(mins => step), NEW.minute, 'epoch'), NEW.topic, NEW.partition,
           NEW.good - CASE WHEN TG_OP = 'UPDATE' THEN OLD.good ELSE 0 END,
           NEW.total - CASE WHEN TG_OP = 'UPDATE' THEN OLD.total ELSE 0 END
      FROM unnest('{15,60,1440}'::smallint[]) AS step
    ON CONFLICT (component, step, starts_at, topic, partition)
    DO UPDATE SET good = s.good + excluded.good, total = s.total + excluded.total;
    RETURN NULL;
END $$;
CREATE TRIGGER add_sums AFTER INSERT OR UPDATE ON sli FOR EACH ROW EXECUTE FUNCTION add_sli_sums();

-- Time in which failures do not count against an objective.
CREATE TABLE maintenance_windows (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version     integer     NOT NULL DEFAULT 1,
    component   text,                          -- of sli; null means all
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL CHECK (ends_at > starts_at),
    reason      text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    declared_by text        NOT NULL,
    declared_at timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX maintenance_windows_end ON maintenance_windows (ends_at);
CREATE TRIGGER bump_version BEFORE UPDATE ON maintenance_windows FOR EACH ROW EXECUTE FUNCTION bump_rule_version();
CREATE TRIGGER audit_change AFTER INSERT OR UPDATE OR DELETE ON maintenance_windows
    FOR EACH ROW EXECUTE FUNCTION record_config_change('id');
