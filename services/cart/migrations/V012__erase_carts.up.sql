-- When a user is deleted, the cart must go too: this remembers how far the customers service's deletions are applied.
CREATE TABLE erasure_cursor (
    id boolean DEFAULT true,
    -- The position of the last deletion that is applied; 0 is before the first one.
    position bigint NOT NULL DEFAULT 0,
    -- One replica at a time applies deletions, until its turn ends.
    holder text NOT NULL DEFAULT '',
    held_until timestamp with time zone NOT NULL DEFAULT '-infinity',
    CONSTRAINT pk__erasure_cursor PRIMARY KEY (id),
    CONSTRAINT ck__erasure_cursor__single CHECK (id)
);

INSERT INTO erasure_cursor DEFAULT VALUES;

-- Applies the deletion of a user at `next`, if `previous` is the last one that is applied. Returns
-- whether it is. So of two replicas neither can leave one out, or apply one that the other has.
--
-- The cart's row stays, without anything but its id. Each writer locks the row first, so a write of
-- the deleted user that was let in before and arrives later finds an erased cart. An earlier write
-- has committed before the lines are deleted, and its lines are deleted too. Applying a deletion
-- again changes nothing.
CREATE FUNCTION erase_cart(deleted_user integer, previous bigint, next bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE erasure_cursor SET position = next WHERE position = previous;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO carts (user_id, erased)
    VALUES (deleted_user, true)
    ON CONFLICT (user_id) DO UPDATE SET erased = true, version = carts.version + 1
        WHERE NOT carts.erased;
    DELETE FROM cartitems WHERE cart_id = deleted_user;
    RETURN true;
END
$$;
