-- A row of the audit as a worker sends it (schemas/rows.py, AUDIT). Not the table's own row type: that grows with the
-- table, and a worker of the release before would then send too few columns. This type never changes; a row with more
-- in it gets a type of its own.
CREATE TYPE audit_row AS (
    topic           text,
    partition       integer,
    "offset"        bigint,
    broker_time     timestamptz,
    event_time      timestamptz,
    hostname        text,
    source          text,
    syslog_severity smallint,
    disposition     text,
    rule_id         integer,
    rule_version    integer,
    ruleset_version bigint,
    handling        text,
    team            text,
    alert_id        uuid,
    replay_of       uuid,
    correlation_id  text,
    trap_oid        text,
    message         text,
    flags           text[],
    raw             bytea,
    raw_sha256      bytea
);
