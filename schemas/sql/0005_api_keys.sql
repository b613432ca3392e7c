-- API keys and who failed to use one; and what POST requests answered, so that a repeated one changes nothing.

-- What is known of a key. The secret is nowhere, and its hash not here: this table's rows go into config_audit.
CREATE TABLE api_keys (
    id         text        PRIMARY KEY CHECK (id ~ '^[a-z0-9]{12}$'),
    client     text        NOT NULL CHECK (client ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
    name       text        NOT NULL CHECK (length(name) <= 100),
    scopes     text[]      NOT NULL CHECK (cardinality(scopes) > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,                         -- null: until it is revoked
    revoked_at timestamptz
);
CREATE INDEX api_keys_client ON api_keys (client, created_at);

-- What no audit row may hold, or that changes by use alone.
CREATE TABLE api_key_hashes (
    id           text        PRIMARY KEY REFERENCES api_keys (id) ON DELETE CASCADE,
    key_hash     bytea       NOT NULL CHECK (length(key_hash) = 32),   -- HMAC-SHA-256 under API_PEPPER
    last_used_at timestamptz                                           -- to the minute
) WITH (fillfactor = 70);

-- At most two live keys a client: one, and the one that replaces it. Whoever adds to a client waits for the others.
CREATE FUNCTION limit_live_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') = 'repeatable read' THEN
        RAISE EXCEPTION 'keys are not changed on an old snapshot' USING ERRCODE = 'serialization_failure';
    END IF;
    IF NEW.revoked_at IS NULL AND (NEW.expires_at IS NULL OR NEW.expires_at > now()) THEN
        PERFORM pg_advisory_xact_lock(x'6b657973'::integer, hashtext(NEW.client));
        IF (SELECT count(*) FROM api_keys WHERE client = NEW.client AND id <> NEW.id AND revoked_at IS NULL
              AND (expires_at IS NULL OR expires_at > now())) >= 2 THEN
            RAISE EXCEPTION 'client % has two live keys', NEW.client
                USING ERRCODE = 'check_violation', CONSTRAINT = 'api_keys_two_live';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER two_live BEFORE INSERT OR UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION limit_live_keys();
CREATE TRIGGER audit_change AFTER INSERT OR UPDATE OR DELETE ON api_keys
    FOR EACH ROW EXECUTE FUNCTION record_config_change('id');

-- Failed authentications, added up by minute, so that a flood of them stays a few rows.
CREATE TABLE auth_failures (
    minute   timestamptz NOT NULL,
    address  text        NOT NULL,              -- of the caller (IPv6: its /64), or `others` beyond the bound
    key_id   text        NOT NULL DEFAULT '',   -- where the presented id is that of a key
    reason   text        NOT NULL,
    failures bigint      NOT NULL,
    first_at timestamptz NOT NULL,
    last_at  timestamptz NOT NULL,
    PRIMARY KEY (minute, address, key_id, reason)
);

-- One Idempotency-Key of one client: taken while its request runs, then with the answer it got. Kept for a day.
CREATE TABLE idempotency_keys (
    client      text        NOT NULL,
    key         text        NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request     text        NOT NULL,           -- method, path and query
    body_sha256 bytea       NOT NULL,
    state       text        NOT NULL DEFAULT 'in_flight' CHECK (state IN ('in_flight', 'done')),
    lease       uuid        NOT NULL,           -- whose run this is; only that one may settle it
    lease_until timestamptz NOT NULL,           -- from then on another request may run in its place
    status      smallint,
    headers     jsonb,
    body        bytea,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (client, key),
    CONSTRAINT answer_when_done CHECK ((state = 'done') = (status IS NOT NULL))
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
