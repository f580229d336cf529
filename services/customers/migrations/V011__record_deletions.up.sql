-- Other services must learn that a user was deleted: each deletion is recorded, in the order of commits.
CREATE TABLE deletions (
    position bigint,
    user_id integer NOT NULL,
    created timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk__deletions PRIMARY KEY (position)
);

-- A trigger, so that every statement records what it deletes, also one of the version before.
--
-- The lock is held until the commit, so positions become visible in their order: no reader ever finds a
-- deletion behind a position that it has already read. Only deletions wait for each other.
--
-- A position is the time in microseconds, or the one after the last position if that is later. So no
-- position is used again for another deletion after a restore from a back-up, which takes the last
-- position back.
CREATE FUNCTION record_deletions() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_position bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM deleted) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('record_deletions'));
    last_position := greatest(
        (SELECT max(position) FROM deletions),
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
    INSERT INTO deletions (position, user_id)
    SELECT last_position + row_number() OVER (ORDER BY id), id FROM deleted;
    RETURN NULL;
END
$$;

CREATE TRIGGER tr__users__record_deletions AFTER DELETE ON users
    REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION record_deletions();
