-- The audit is append-only by each of its parts too: what a trigger of the whole refuses, a part does not.

CREATE OR REPLACE FUNCTION create_audit_partition(month date) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', month);
    name  text := 'audit_' || to_char(first, 'YYYY_MM');
BEGIN
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF audit FOR VALUES FROM (%L) TO (%L)',
                   name, first::text || ' 00:00:00+00', (first + interval '1 month')::date::text || ' 00:00:00+00');
    PERFORM keep_append_only(name::regclass);
    RETURN name;
END $$;

CREATE FUNCTION keep_append_only(part regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', part);
END $$;

SELECT keep_append_only(inhrelid) FROM pg_inherits WHERE inhparent = 'audit'::regclass;
