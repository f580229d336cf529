-- A login must be able to end before its token expires: it makes a row, and without the row its token is refused.

-- The number of the user's latest session. Every login locks the user's row by setting it.
ALTER TABLE users ADD COLUMN last_session integer NOT NULL DEFAULT 0;

CREATE TABLE sessions (
    user_id integer,
    id integer,
    created timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    expires timestamp with time zone NOT NULL,
    client text NOT NULL,
    user_agent text NOT NULL,
    CONSTRAINT pk__sessions PRIMARY KEY (user_id, id),
    CONSTRAINT fk__sessions__user_id__users FOREIGN KEY (user_id) REFERENCES users (id)
        ON DELETE CASCADE
);

CREATE INDEX ix__sessions__expires ON sessions (expires);

-- One for each user at most. The code itself is known to nobody but its holder.
CREATE TABLE recovery_codes (
    user_id integer,
    digest bytea NOT NULL,
    expires timestamp with time zone NOT NULL,
    CONSTRAINT pk__recovery_codes PRIMARY KEY (user_id),
    CONSTRAINT uq__recovery_codes__digest UNIQUE (digest),
    CONSTRAINT fk__recovery_codes__user_id__users FOREIGN KEY (user_id) REFERENCES users (id)
        ON DELETE CASCADE
);

-- Logs in who was found to know `checked_password`, the hash that the account had at
-- `checked_version`. Returns no account if its password has been changed meanwhile. The oldest
-- session ends when a user's 101st begins.
--
-- The session's number is 0, and the login has no session, while a replica of the version before is
-- connected. Such a replica knows nothing of sessions and would refuse the token.
CREATE FUNCTION begin_session(
    owner integer, checked_version integer, checked_password text,
    valid_until timestamp with time zone, from_client text, from_user_agent text,
    OUT account users, OUT session_id integer
) LANGUAGE plpgsql AS $$
BEGIN
    -- No number is given out twice, even if this table is dropped or restored from a back-up: it is
    -- never less than the seconds since 2026.
    UPDATE users
    SET last_session = greatest(
        last_session + 1,
        extract(epoch FROM clock_timestamp() - timestamp with time zone '2026-01-01 00:00+00')::integer)
    WHERE id = owner AND (token_version = checked_version OR password = checked_password)
    RETURNING * INTO account;

    session_id := 0;
    IF account.id IS NULL OR EXISTS (
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'customers'
    ) THEN
        RETURN;
    END IF;

    -- The user's row is locked, so these are all of the user's sessions.
    DELETE FROM sessions
    WHERE user_id = owner AND id <= (
        SELECT id FROM sessions WHERE user_id = owner ORDER BY id DESC OFFSET 99 LIMIT 1
    );
    INSERT INTO sessions (user_id, id, expires, client, user_agent)
    VALUES (owner, account.last_session, valid_until, from_client, from_user_agent);
    session_id := account.last_session;
END
$$;

-- Sets a new password for who holds a recovery code. Returns the account's id, or null if the code is
-- not valid. Like every change of a password it locks the account before its codes and sessions.
CREATE FUNCTION recover_account(code_digest bytea, new_password text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    owner integer := (SELECT user_id FROM recovery_codes WHERE digest = code_digest);
BEGIN
    PERFORM FROM users WHERE id = owner FOR NO KEY UPDATE;
    -- The code may have been used while this waited for the lock.
    UPDATE users
    SET password = new_password, token_version = token_version + 1
    WHERE id = owner AND EXISTS (
        SELECT FROM recovery_codes WHERE digest = code_digest AND expires > clock_timestamp()
    );
    RETURN CASE WHEN FOUND THEN owner END;
END
$$;

-- A new password ends all sessions and the recovery code, also if the version before sets it. Its
-- statement increments token_version, which the renewal of a hash does not.
CREATE FUNCTION end_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM sessions WHERE user_id = NEW.id;
    DELETE FROM recovery_codes WHERE user_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE TRIGGER tr__users__end_sessions AFTER UPDATE OF token_version ON users
    FOR EACH ROW WHEN (OLD.password <> NEW.password) EXECUTE FUNCTION end_sessions();
