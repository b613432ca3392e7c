-- What is paused now, as the workers tell it: a row is heartbeaten while the pause lasts, and means nothing once stale.
CREATE TABLE partition_pauses (
    topic     text        NOT NULL,
    partition integer     NOT NULL,
    reason    text        NOT NULL,
    worker    text        NOT NULL,
    since     timestamptz NOT NULL,
    seen_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, reason)
) WITH (fillfactor = 50);
