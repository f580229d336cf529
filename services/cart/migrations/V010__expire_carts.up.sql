-- Carts that nobody has written to for a long time are emptied.

-- Looks at the next `batch` carts after one, in the order of their ids, and removes the items of those
-- that were last written to `days` days ago or earlier. Returns the last cart that it looked at, or null
-- if there are no more or another caller is at work, and the number of carts that it emptied. It
-- waits for no writer: it skips locked carts, and a cart that has just been written to is not old.
CREATE FUNCTION expire_carts(
    after_cart integer, batch integer, days integer, OUT last_cart integer, OUT emptied integer
) LANGUAGE plpgsql AS $$
DECLARE
    old integer[];
BEGIN
    emptied := 0;
    IF NOT pg_try_advisory_xact_lock(hashtext('expire_carts')) THEN
        RETURN;
    END IF;
    SELECT max(user_id) INTO last_cart
    FROM (SELECT user_id FROM carts WHERE user_id > after_cart ORDER BY user_id LIMIT batch) AS next;
    old := ARRAY(
        SELECT user_id
        FROM carts
        WHERE user_id > after_cart
            AND user_id <= last_cart
            AND touched <= now() - make_interval(days => days)
            AND EXISTS (SELECT FROM cartitems WHERE cart_id = user_id)
        ORDER BY user_id
        FOR NO KEY UPDATE SKIP LOCKED
    );
    UPDATE carts SET version = version + 1 WHERE user_id = ANY (old);
    DELETE FROM cartitems WHERE cart_id = ANY (old);
    emptied := cardinality(old);
END
$$;
