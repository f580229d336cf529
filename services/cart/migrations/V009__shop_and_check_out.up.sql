-- A shop page sets or adds a product, merges a guest's cart, and checks a cart out.

-- Refuses a product that cannot be put into a cart.
CREATE FUNCTION require_on_sale(product integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM products WHERE id = product AND is_active FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE foreign_key_violation USING CONSTRAINT = 'fk__cartitems__product_id__products';
    END IF;
END
$$;

-- The following functions create a cart that is missing. No cart and an empty one at version 0 are the
-- same to clients, and have the same entity tag.

-- Sets a product's quantity; 0 removes the product.
CREATE FUNCTION put_product(cart integer, product integer, amount integer, expected text[])
RETURNS SETOF cart_lines LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO carts (user_id) VALUES (cart) ON CONFLICT DO NOTHING;
    PERFORM begin_write(cart, expected);
    IF amount = 0 THEN
        DELETE FROM cartitems WHERE cart_id = cart AND product_id = product;
    ELSE
        PERFORM require_on_sale(product);
        UPDATE cartitems SET quantity = amount WHERE cart_id = cart AND product_id = product;
        IF NOT FOUND THEN
            INSERT INTO cartitems (cart_id, product_id, quantity) VALUES (cart, product, amount);
        END IF;
    END IF;
    RETURN QUERY SELECT * FROM cart_lines WHERE user_id = cart;
END
$$;

-- Adds to a product's quantity, up to 5.
CREATE FUNCTION add_product(cart integer, product integer, amount integer, expected text[])
RETURNS SETOF cart_lines LANGUAGE plpgsql AS $$
DECLARE
    present integer;
BEGIN
    INSERT INTO carts (user_id) VALUES (cart) ON CONFLICT DO NOTHING;
    PERFORM begin_write(cart, expected);
    PERFORM require_on_sale(product);
    SELECT quantity INTO present FROM cartitems WHERE cart_id = cart AND product_id = product;
    IF present + amount > 5 THEN
        RAISE check_violation USING CONSTRAINT = 'ck__cartitems__quantity';
    ELSIF present IS NOT NULL THEN
        UPDATE cartitems SET quantity = present + amount
        WHERE cart_id = cart AND product_id = product;
    ELSE
        INSERT INTO cartitems (cart_id, product_id, quantity) VALUES (cart, product, amount);
    END IF;
    RETURN QUERY SELECT * FROM cart_lines WHERE user_id = cart;
END
$$;

-- Merges products and their quantities into a cart. Of each product it keeps the larger quantity, so
-- merging is idempotent, and the order of several merges does not matter. It skips products that
-- cannot be put into a cart, and returns their ids.
CREATE FUNCTION merge_products(
    cart integer, product_ids integer[], amounts integer[], expected text[]
) RETURNS TABLE (line cart_lines, skipped integer[]) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO carts (user_id) VALUES (cart) ON CONFLICT DO NOTHING;
    PERFORM begin_write(cart, expected);
    PERFORM FROM products WHERE id = ANY (product_ids) ORDER BY id FOR KEY SHARE;
    skipped := ARRAY(
        SELECT DISTINCT wanted
        FROM unnest(product_ids) AS wanted
        WHERE NOT EXISTS (SELECT FROM products WHERE id = wanted AND is_active)
        ORDER BY wanted
    );
    UPDATE cartitems
    SET quantity = wanted.amount
    FROM (
        SELECT product_id, max(amount) AS amount
        FROM unnest(product_ids, amounts) AS pair (product_id, amount)
        GROUP BY product_id
    ) AS wanted
    WHERE cart_id = cart
        AND cartitems.product_id = wanted.product_id
        AND cartitems.quantity < wanted.amount
        AND wanted.product_id <> ALL (skipped);
    INSERT INTO cartitems (cart_id, product_id, quantity)
    SELECT cart, wanted.product_id, max(wanted.amount)
    FROM unnest(product_ids, amounts) WITH ORDINALITY AS wanted (product_id, amount, place)
    WHERE wanted.amount > 0
        AND wanted.product_id <> ALL (skipped)
        AND NOT EXISTS (
            SELECT FROM cartitems WHERE cart_id = cart AND product_id = wanted.product_id
        )
    GROUP BY wanted.product_id
    ORDER BY min(wanted.place);
    RETURN QUERY SELECT cart_lines, skipped FROM cart_lines WHERE user_id = cart;
END
$$;

-- A checkout is a record for the order system, so it refers to nothing that can change or go. `etag`
-- is the state of the cart that was checked out. `position` is its place in the feed, once it has one.
CREATE TABLE checkouts (
    id serial,
    user_id integer NOT NULL,
    created timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    etag text NOT NULL,
    total_price numeric NOT NULL,
    position bigint,
    CONSTRAINT pk__checkouts PRIMARY KEY (id),
    CONSTRAINT uq__checkouts__user_id_etag UNIQUE (user_id, etag),
    CONSTRAINT uq__checkouts__position UNIQUE (position)
);

CREATE INDEX ix__checkouts__user_id ON checkouts (user_id, id);
CREATE INDEX ix__checkouts__without_position ON checkouts (id) WHERE position IS NULL;

CREATE TABLE checkout_lines (
    checkout_id integer,
    number integer,
    product_id integer NOT NULL,
    sku text,
    name text NOT NULL,
    price numeric NOT NULL,
    quantity integer NOT NULL,
    CONSTRAINT pk__checkout_lines PRIMARY KEY (checkout_id, number),
    CONSTRAINT fk__checkout_lines__checkout_id__checkouts FOREIGN KEY (checkout_id)
        REFERENCES checkouts (id) ON DELETE CASCADE
);

-- A row for each line of a checkout.
CREATE VIEW checkout_rows AS
SELECT
    checkouts.id,
    checkouts.user_id,
    checkouts.created,
    checkouts.total_price::text AS total_price,
    checkouts.position,
    line.number,
    line.product_id,
    line.sku,
    line.name,
    line.price::text AS price,
    line.quantity,
    (line.price * line.quantity)::text AS line_total
FROM checkouts
JOIN checkout_lines AS line ON line.checkout_id = checkouts.id;

-- Checks out a cart in the state that `expected` names: makes a checkout of its lines, takes them from
-- the counted stocks and empties the cart. If that state has been checked out already, returns that
-- checkout. The error for lines that are not available has a JSON array of their names as its detail.
CREATE FUNCTION check_out(cart integer, expected text[])
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
        RETURN QUERY SELECT false, checkout_rows FROM checkout_rows WHERE id = made;
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
    INSERT INTO checkout_lines (checkout_id, number, product_id, sku, name, price, quantity)
    SELECT made, row_number() OVER (ORDER BY line.id), line.product_id, products.sku, line.name,
        line.price::numeric, line.quantity
    FROM cart_lines AS line
    JOIN products ON products.id = line.product_id
    WHERE line.user_id = cart;
    UPDATE products
    SET stock = stock - cartitems.quantity
    FROM cartitems
    WHERE cartitems.cart_id = cart AND cartitems.product_id = products.id AND stock IS NOT NULL;
    DELETE FROM cartitems WHERE cart_id = cart;
    UPDATE carts SET version = version + 1, touched = now() WHERE user_id = cart;
    RETURN QUERY SELECT true, checkout_rows FROM checkout_rows WHERE id = made;
END
$$;

-- Gives every checkout that has been committed its position in the feed, behind all others, and
-- returns the position of one of them; 0 for no checkout, null for one that does not exist. A reader
-- calls this first. Positions are given out after the commit and one caller at a time, so no checkout
-- ever appears at or before a position that a reader has seen, however long its transaction took.
CREATE FUNCTION number_checkouts(after_checkout integer) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM checkouts WHERE position IS NULL) THEN
        PERFORM pg_advisory_xact_lock(hashtext('number_checkouts'));
        UPDATE checkouts
        SET position = numbered.position
        FROM (
            SELECT id, row_number() OVER (ORDER BY id)
                + (SELECT coalesce(max(position), 0) FROM checkouts) AS position
            FROM checkouts
            WHERE position IS NULL
        ) AS numbered
        WHERE checkouts.id = numbered.id;
    END IF;
    IF after_checkout = 0 THEN
        RETURN 0;
    END IF;
    RETURN (SELECT position FROM checkouts WHERE id = after_checkout);
END
$$;
