-- Progress, ledger, audit, alerts and dead letters: everything one batch writes in one transaction.

-- Where each ingest partition stands. The compare-and-set on next_offset is the fence against zombies.
CREATE TABLE partition_progress (
    topic         text        NOT NULL,
    partition     integer     NOT NULL,
    epoch         integer     NOT NULL DEFAULT 0,   -- counts `mutt ledger reset`: offsets start a new count
    next_offset   bigint      NOT NULL,             -- every offset below it has exactly one disposition
    halted_at     timestamptz,
    halted_reason text,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- One row per partition, minute and rule-set version, extended in place. Ranges tile a partition without hole or overlap.
CREATE TABLE ledger (
    topic           text        NOT NULL,
    partition       integer     NOT NULL,
    epoch           integer     NOT NULL,
    first_offset    bigint      NOT NULL,
    next_offset     bigint      NOT NULL,
    minute          timestamptz NOT NULL,
    ruleset_version bigint      NOT NULL,
    ruleset_digest  text        NOT NULL,
    alerted         bigint      NOT NULL DEFAULT 0,
    logged          bigint      NOT NULL DEFAULT 0,
    ignored         bigint      NOT NULL DEFAULT 0,
    unhandled       bigint      NOT NULL DEFAULT 0,
    shed            bigint      NOT NULL DEFAULT 0,
    rejected        bigint      NOT NULL DEFAULT 0,
    missing         bigint      NOT NULL DEFAULT 0,  -- offsets the log no longer had: compaction, retention, markers
    audited         bigint      NOT NULL DEFAULT 0,  -- audit rows of this range
    alerts          bigint      NOT NULL DEFAULT 0,  -- alerts of this range, meta-alerts included
    last_sha256     bytea,                           -- of the record at next_offset - 1: key, NUL, value
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, epoch, first_offset),
    CONSTRAINT ledger_adds_up CHECK (
        alerted + logged + ignored + unhandled + shed + rejected + missing = next_offset - first_offset
        AND next_offset > first_offset)
) WITH (fillfactor = 70);

-- One row for each audited event. Partitioned by the broker's time, which no device and no replay can move.
CREATE TABLE audit (
    topic           text        NOT NULL,
    partition       integer     NOT NULL,
    "offset"        bigint      NOT NULL,
    broker_time     timestamptz NOT NULL,
    event_time      timestamptz,
    hostname        text        NOT NULL,
    source          text,
    syslog_severity smallint,
    disposition     text        NOT NULL,
    rule_id         integer,
    rule_version    integer,
    ruleset_version bigint      NOT NULL,
    handling        text,
    team            text,
    alert_id        uuid,       -- the alert this row explains
    replay_of       uuid,       -- the dead letter this record was replayed from
    correlation_id  text,
    trap_oid        text,
    message         text        NOT NULL,
    flags           text[],
    raw             bytea       NOT NULL,
    raw_sha256      bytea,      -- only where the message is cut
    PRIMARY KEY (topic, partition, "offset", broker_time)
) PARTITION BY RANGE (broker_time);
CREATE INDEX audit_hostname_time ON audit (hostname, broker_time);
CREATE INDEX audit_rule_time ON audit (rule_id, broker_time) WHERE rule_id IS NOT NULL;
CREATE INDEX audit_time ON audit USING brin (broker_time);
CREATE TABLE audit_default PARTITION OF audit DEFAULT;

-- Creates the audit partition of one month (UTC) if it is not there. Returns its name.
CREATE FUNCTION create_audit_partition(month date) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', month);
    name  text := 'audit_' || to_char(first, 'YYYY_MM');
BEGIN
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF audit FOR VALUES FROM (%L) TO (%L)',
                   name, first::text || ' 00:00:00+00', (first + interval '1 month')::date::text || ' 00:00:00+00');
    RETURN name;
END $$;

-- Alerts are their own outbox: published_at is null until the record is on mutt.alerts.
CREATE TABLE alerts (
    id              uuid        PRIMARY KEY,
    kind            text        NOT NULL,
    topic           text        NOT NULL,
    partition       integer     NOT NULL,
    "offset"        bigint      NOT NULL,
    broker_time     timestamptz NOT NULL,
    hostname        text        NOT NULL,
    severity        smallint    NOT NULL,            -- 0 clear .. 5 critical
    rule_id         integer,
    rule_version    integer,
    team            text        NOT NULL,
    handling        text        NOT NULL,
    payload         json        NOT NULL,            -- the value on mutt.alerts, byte for byte
    state           text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts        integer     NOT NULL DEFAULT 0,
    last_status     integer,
    last_error      text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    published_at    timestamptz,
    first_attempt_at timestamptz,
    last_attempt_at timestamptz,
    settled_at      timestamptz                      -- delivered or dead
) WITH (fillfactor = 80);
CREATE INDEX alerts_unpublished ON alerts (topic, partition, "offset") WHERE published_at IS NULL;
CREATE INDEX alerts_pending ON alerts (created_at) WHERE state = 'pending';
CREATE INDEX alerts_created ON alerts USING brin (created_at);

-- Dead letters: what operators work with. mutt.dlq carries the same records for other tools.
CREATE TABLE dead_letters (
    id              uuid        PRIMARY KEY,
    stage           text        NOT NULL,
    reason          text        NOT NULL,
    detail          text        NOT NULL,
    topic           text        NOT NULL,
    partition       integer     NOT NULL,
    "offset"        bigint      NOT NULL,
    broker_time     timestamptz NOT NULL,
    key             bytea,
    value           bytea,
    header_names    bytea[]     NOT NULL DEFAULT '{}',
    header_values   bytea[]     NOT NULL DEFAULT '{}',   -- same length; null values kept
    hostname        text,
    rule_id         integer,
    alert_id        uuid,
    state           text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replaying', 'replayed', 'parked')),
    attempts        integer     NOT NULL DEFAULT 1,
    replays         integer     NOT NULL DEFAULT 0,
    replay_id       uuid,                                -- the last replay that took this letter
    first_failed_at timestamptz NOT NULL DEFAULT now(),
    last_failed_at  timestamptz NOT NULL DEFAULT now(),
    replayed_at     timestamptz,
    published_at    timestamptz
);
CREATE INDEX dead_letters_unpublished ON dead_letters (topic, partition, "offset") WHERE published_at IS NULL;
CREATE INDEX dead_letters_open ON dead_letters (reason, first_failed_at) WHERE state = 'open';
CREATE INDEX dead_letters_origin ON dead_letters (topic, partition, "offset");
CREATE INDEX dead_letters_replay ON dead_letters (replay_id) WHERE replay_id IS NOT NULL;

-- One replay: who sent which letters again, and how far it came.
CREATE TABLE replays (
    id          uuid        PRIMARY KEY,
    actor       text        NOT NULL,
    reason      text,
    filter      jsonb       NOT NULL,
    selected    bigint      NOT NULL DEFAULT 0,
    sent        bigint      NOT NULL DEFAULT 0,
    refused     bigint      NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);

-- Service level indicators, a row a minute. The partition is in the key so that lanes never wait for each other.
CREATE TABLE sli (
    component text        NOT NULL,   -- ingestor | forwarder
    topic     text        NOT NULL,
    partition integer     NOT NULL,
    minute    timestamptz NOT NULL,
    good      bigint      NOT NULL DEFAULT 0,
    total     bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (component, topic, partition, minute)
) WITH (fillfactor = 70);
CREATE INDEX sli_minute ON sli (minute);

-- Unmatched events by signature (host and masked message), bounded per partition.
CREATE TABLE unhandled_signatures (
    topic          text        NOT NULL,
    partition      integer     NOT NULL,
    signature      bigint      NOT NULL,    -- 64-bit hash of host and template
    hostname       text        NOT NULL,
    template       text        NOT NULL,
    sample         text        NOT NULL,
    count          bigint      NOT NULL,    -- within the window
    window_started timestamptz NOT NULL,
    last_seen      timestamptz NOT NULL,
    alerted        boolean     NOT NULL DEFAULT false,   -- the window's meta-alert was raised
    PRIMARY KEY (topic, partition, signature)
) WITH (fillfactor = 70);
