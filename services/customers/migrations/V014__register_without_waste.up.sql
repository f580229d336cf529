-- An id must not be used up by a registration that is refused: there are only 2,147,483,647 of them.

-- Returns the key of the lock that everybody holds who gives an account this email, in any spelling.
CREATE FUNCTION email_lock(email text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT hashtextextended('email ' || canonical_email(email), 0)
$$;

-- Creates an account and returns it, or nothing if its email is taken in any spelling. Registrations of
-- one email take turns. Each statement here sees what was committed before it, so the second one
-- finds the account of the first, and no default is computed for it.
--
-- The account begins at a random version, so that a token of an account that had the same id before a
-- back-up was restored is not valid for this one. The version is never 0, which tokens without `ver`
-- have, and may be incremented a billion times.
CREATE FUNCTION create_user(
    new_email text, new_first_name text, new_last_name text, new_password text, makes_admin boolean
) RETURNS SETOF users LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(email_lock(new_email));
    IF EXISTS (SELECT FROM users WHERE canonical_email(email) = canonical_email(new_email)) THEN
        RETURN;
    END IF;
    RETURN QUERY
        INSERT INTO users (email, first_name, last_name, password, is_admin, token_version)
        VALUES (new_email, new_first_name, new_last_name, new_password, makes_admin,
                1 + floor(random() * 1000000000)::integer)
        RETURNING *;
END
$$;

-- A change of an email takes its turn as well, and finds out here that the email is taken, because
-- PostgreSQL's own message about a duplicate key would contain the email.
CREATE FUNCTION check_email() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(email_lock(NEW.email));
    IF EXISTS (
        SELECT FROM users WHERE canonical_email(email) = canonical_email(NEW.email) AND id <> NEW.id
    ) THEN
        RAISE EXCEPTION 'the email is taken'
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'uq__users__canonical_email';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER tr__users__check_email BEFORE UPDATE OF email ON users
    FOR EACH ROW WHEN (OLD.email <> NEW.email) EXECUTE FUNCTION check_email();
