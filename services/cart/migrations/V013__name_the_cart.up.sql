-- Every statement of a signed-in user names the cart, so that carts can be spread over partitions or servers by it.

-- The functions of earlier versions, which look for an item in all carts, stay for the programs that
-- still run.
CREATE FUNCTION change_item(cart integer, item integer, amount integer, expected text[])
RETURNS SETOF cart_lines LANGUAGE plpgsql AS $$
BEGIN
    PERFORM begin_write(cart, expected);
    UPDATE cartitems SET quantity = amount WHERE cart_id = cart AND id = item;
    IF NOT FOUND THEN
        RAISE no_data_found;
    END IF;
    RETURN QUERY SELECT * FROM cart_lines WHERE user_id = cart;
END
$$;

CREATE FUNCTION remove_item(cart integer, item integer, expected text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM begin_write(cart, expected);
    DELETE FROM cartitems WHERE cart_id = cart AND id = item;
    IF NOT FOUND THEN
        RAISE no_data_found;
    END IF;
END
$$;

-- The user of a line's checkout. The next migration fills it in for earlier checkouts.
ALTER TABLE checkout_lines ADD COLUMN user_id integer;

-- Checks out a cart in the state that `expected` names: makes a checkout of its lines, takes them from
-- the counted stocks and empties the cart. If that state has been checked out already, returns that
-- checkout. The error for lines that are not available has a JSON array of their names as its detail.
CREATE OR REPLACE FUNCTION check_out(cart integer, expected text[])
RETURNS TABLE (is_created boolean, checkout checkout_rows) LANGUAGE plpgsql AS $$
DECLARE
    made integer;
    product record;
    state text;
    unavailable text;
BEGIN
    PERFORM FROM carts WHERE user_id = cart AND NOT erased FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE no_data_found;
    END IF;
    SELECT id INTO made
    FROM checkouts
    WHERE user_id = cart AND etag = ANY (expected)
    ORDER BY id DESC
    LIMIT 1;
    IF FOUND THEN
        RETURN QUERY SELECT false, checkout_rows FROM checkout_rows
        WHERE user_id = cart AND id = made;
        RETURN;
    END IF;

    -- One order for all, so that no two checkouts wait for each other. Those of a product whose stock
    -- is not counted do not wait at all.
    FOR product IN
        SELECT id, stock IS NOT NULL AS is_counted
        FROM products
        WHERE id IN (SELECT product_id FROM cartitems WHERE cart_id = cart)
        ORDER BY id
    LOOP
        IF product.is_counted THEN
            PERFORM FROM products WHERE id = product.id FOR NO KEY UPDATE;
        ELSE
            PERFORM FROM products WHERE id = product.id FOR SHARE;
        END IF;
    END LOOP;
    SELECT etag INTO state FROM cart_lines WHERE user_id = cart LIMIT 1;
    IF state <> ALL (expected) AND '*' <> ALL (expected) THEN
        RAISE check_violation USING CONSTRAINT = 'ck__carts__expected';
    END IF;

    IF NOT EXISTS (SELECT FROM cartitems WHERE cart_id = cart) THEN
        RAISE check_violation USING CONSTRAINT = 'ck__checkouts__not_empty';
    END IF;
    SELECT json_agg(name ORDER BY id) INTO unavailable
    FROM cart_lines
    WHERE user_id = cart AND NOT is_available;
    IF unavailable IS NOT NULL THEN
        RAISE check_violation
            USING CONSTRAINT = 'ck__checkouts__available', DETAIL = unavailable;
    END IF;

    INSERT INTO checkouts (user_id, etag, total_price)
    SELECT cart, state, total_price::numeric FROM cart_lines WHERE user_id = cart LIMIT 1
    RETURNING id INTO made;
    INSERT INTO checkout_lines
        (user_id, checkout_id, number, product_id, sku, name, price, quantity)
    SELECT cart, made, row_number() OVER (ORDER BY line.id), line.product_id, products.sku,
        line.name, line.price::numeric, line.quantity
    FROM cart_lines AS line
    JOIN products ON products.id = line.product_id
    WHERE line.user_id = cart;
    UPDATE products
    SET stock = stock - cartitems.quantity
    FROM cartitems
    WHERE cartitems.cart_id = cart AND cartitems.product_id = products.id AND stock IS NOT NULL;
    DELETE FROM cartitems WHERE cart_id = cart;
    UPDATE carts SET version = version + 1, touched = now() WHERE user_id = cart;
    RETURN QUERY SELECT true, checkout_rows FROM checkout_rows
    WHERE user_id = cart AND id = made;
END
$$;

-- Gives every checkout that has been committed its position in the feed, behind all others, and
-- returns the position of one of them; 0 for no checkout, null for one that does not exist. A reader
-- calls this first. Positions are given out after the commit and one caller at a time, so no checkout
-- ever appears at or before a position that a reader has seen, however long its transaction took.
CREATE OR REPLACE FUNCTION number_checkouts(after_checkout integer) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM checkouts WHERE position IS NULL) THEN
        PERFORM pg_advisory_xact_lock(hashtext('number_checkouts'));
        UPDATE checkouts
        SET position = numbered.position
        FROM (
            SELECT user_id, id, row_number() OVER (ORDER BY id)
                + (SELECT coalesce(max(position), 0) FROM checkouts) AS position
            FROM checkouts
            WHERE position IS NULL
        ) AS numbered
        WHERE checkouts.user_id = numbered.user_id AND checkouts.id = numbered.id;
    END IF;
    IF after_checkout = 0 THEN
        RETURN 0;
    END IF;
    RETURN (SELECT position FROM checkouts WHERE id = after_checkout);
END
$$;
