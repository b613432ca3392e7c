-- Sessions of the console that were ended before their time: a copy of the cookie opens nothing any more, at any process.
CREATE TABLE ended_sessions (
    session text        PRIMARY KEY,  -- its id, which stands in the sealed cookie
    until   timestamptz NOT NULL      -- when it would have ended by itself; from then on the row may go
);
