-- What the API reads in the order of time, page by page (docs/adr/0015).

-- Newest first for one disposition, and for all of them merged. Its keys arrive in order, a batch shares one time, and
-- btree stores equal keys once: about a tenth of what the index by host costs.
CREATE INDEX audit_disposition_time ON audit (disposition, broker_time);
-- Which records a letter was replayed as; almost every row has none.
CREATE INDEX audit_replay_of ON audit (replay_of) WHERE replay_of IS NOT NULL;

CREATE INDEX alerts_created_time ON alerts (created_at);
CREATE INDEX alerts_dead ON alerts (created_at) WHERE state = 'dead';
CREATE INDEX dead_letters_state_time ON dead_letters (state, first_failed_at);
CREATE INDEX replays_created ON replays (created_at);

-- What a replay may send at most, and how fast; null: everything, as fast as it goes. Whoever resumes it keeps to that.
ALTER TABLE replays
    ADD COLUMN most       bigint,
    ADD COLUMN per_second double precision,
    ADD COLUMN problem    text;   -- why it stopped last; null while it goes well
