-- The role that Grafana reads with: what the panels and annotations show, and no more. Events (but for the masked
-- templates of unhandled ones), keys, and old and new values of the configuration are not for it. Run by somebody who
-- may create roles, in the schema of mutt's tables; then: ALTER ROLE mutt_grafana LOGIN PASSWORD ... (from your
-- secrets). Safe to repeat.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mutt_grafana') THEN
        CREATE ROLE mutt_grafana NOLOGIN CONNECTION LIMIT 8;
    END IF;
END $$;
ALTER ROLE mutt_grafana SET default_transaction_read_only = on;
ALTER ROLE mutt_grafana SET statement_timeout = '10s';

GRANT SELECT (topic, partition, epoch, next_offset, halted_at, halted_reason, updated_at)
    ON partition_progress TO mutt_grafana;
GRANT SELECT ON partition_pauses, ledger TO mutt_grafana;
GRANT SELECT (topic, severity, team, state, attempts, created_at) ON alerts TO mutt_grafana;
GRANT SELECT (topic, stage, reason, state, hostname, replays, first_failed_at) ON dead_letters TO mutt_grafana;
GRANT SELECT (created_at, actor, reason, selected, sent, refused, came_back, finished_at) ON replays TO mutt_grafana;
GRANT SELECT (topic, hostname, template, count, last_seen) ON unhandled_signatures TO mutt_grafana;
GRANT SELECT ON retention_runs TO mutt_grafana;
GRANT SELECT (created_at, name, kind, state, rows, bytes, low, high) ON retention_archives TO mutt_grafana;
GRANT SELECT (id, kind, since, until, set_by, set_at, lifted_at) ON legal_holds TO mutt_grafana;
GRANT SELECT (changed_at, changed_by, operation, table_name, object, reason) ON config_audit TO mutt_grafana;
