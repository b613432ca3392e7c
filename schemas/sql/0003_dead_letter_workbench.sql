-- What operators and remediation do with dead letters beside replaying them: park, edit, purge; who did what, and why.

ALTER TABLE dead_letters
    ADD COLUMN edits               integer NOT NULL DEFAULT 0,  -- how often it was edited; each is in letter_log
    ADD COLUMN edited_value        bytea,                       -- what a replay sends instead of value, which stays
    ADD COLUMN replay_of           uuid,                        -- the letter whose replay failed again and left this one
    ADD COLUMN parked_at           timestamptz,
    ADD COLUMN parked_published_at timestamptz,                 -- null until its record is on mutt.dlq.parked
    DROP CONSTRAINT dead_letters_state_check,
    -- A purged letter keeps its row, without bytes: the ledger still adds up, and reading the topic again adds nothing.
    ADD CONSTRAINT dead_letters_state_check CHECK (state IN ('open', 'replaying', 'replayed', 'parked', 'purged'));
UPDATE dead_letters SET parked_at = last_failed_at WHERE state = 'parked';
CREATE INDEX dead_letters_parked_unpublished ON dead_letters (parked_at)
    WHERE state = 'parked' AND parked_published_at IS NULL;
CREATE INDEX dead_letters_replay_of ON dead_letters (replay_of) WHERE replay_of IS NOT NULL;

-- The history of a letter: who did what to it, and what an edit made of its value.
CREATE TABLE letter_log (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    letter_id uuid        NOT NULL REFERENCES dead_letters (id) ON DELETE CASCADE,
    at        timestamptz NOT NULL DEFAULT now(),
    actor     text        NOT NULL,
    action    text        NOT NULL CHECK (action IN ('replayed', 'parked', 'unparked', 'edited', 'purged')),
    note      text,
    replay_id uuid,
    value     bytea,      -- as an edit left it
    diff      text        -- between the value before that edit and after
);
CREATE INDEX letter_log_letter ON letter_log (letter_id, id);

-- One purge: what was taken out of the table, and the file that has it.
CREATE TABLE purges (
    id        uuid        PRIMARY KEY,
    actor     text        NOT NULL,
    note      text,
    filter    jsonb       NOT NULL,
    archive   text        NOT NULL,
    sha256    text        NOT NULL,   -- of the archive, hexadecimal
    letters   bigint      NOT NULL,
    purged_at timestamptz NOT NULL DEFAULT now()
);

-- Letters that came back after this replay; null until all that it sent are settled.
ALTER TABLE replays ADD COLUMN came_back bigint;
