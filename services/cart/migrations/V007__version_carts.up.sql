-- Writers of one cart take turns: each locks the cart's row first, so every answer is a state that the cart was in.

-- The version counts the writes, and `touched` is the time of the last one. An erased cart belonged
-- to a deleted user: its row stays, so that no late write of that user can create it again.
ALTER TABLE carts
    ADD COLUMN version bigint NOT NULL DEFAULT 0,
    ADD COLUMN touched timestamp with time zone NOT NULL DEFAULT now(),
    ADD COLUMN erased boolean NOT NULL DEFAULT false;

-- A row for each item of a cart, or one row without an item for an empty cart; each row has the
-- cart's total and entity tag. A price counts as it is shown, with two places. The tag covers all that
-- a client is shown: a write to the cart changes the version, and everything else that a line shows is
-- in the hash, except for an item's time of creation, which never changes.
CREATE VIEW cart_lines AS
SELECT
    carts.user_id,
    coalesce(sum(line.total) FILTER (WHERE line.is_available) OVER cart, 0.00)::text AS total_price,
    '"' || carts.version || '-' || to_hex(coalesce(bit_xor(hashtextextended(
        concat_ws(' ', item.product_id, item.quantity, line.price, line.is_available, product.name),
        item.id
    )) OVER cart, 0)) || '"' AS etag,
    item.id,
    item.created,
    item.product_id,
    item.quantity::integer AS quantity,
    product.name,
    line.price::text AS price,
    line.total::text AS line_total,
    line.is_available
FROM carts
LEFT JOIN cartitems AS item ON item.cart_id = carts.user_id
LEFT JOIN products AS product ON product.id = item.product_id
CROSS JOIN LATERAL (
    SELECT
        round(product.price, 2) AS price,
        round(product.price, 2) * item.quantity AS total,
        product.is_active AND (product.stock IS NULL OR product.stock >= item.quantity) AS is_available
) AS line
WHERE NOT carts.erased
WINDOW cart AS (PARTITION BY carts.user_id);

-- The functions below each write to one cart. In a volatile function every statement sees what was
-- committed before that statement began. So what follows the lock on the cart's row sees all earlier
-- writes to the cart. A refusal is an error, which undoes the write as a whole; nothing draws an id
-- before it is certain that the item can be added. `expected` holds the entity tags of which the cart
-- must have one (If-Match), or '*' for any, or is null.

-- Locks a cart and increments its version.
CREATE FUNCTION begin_write(cart integer, expected text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF expected IS NOT NULL AND '*' <> ALL (expected) THEN
        PERFORM FROM carts WHERE user_id = cart AND NOT erased FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RAISE no_data_found;
        END IF;
        -- The state that the tag names must last until the write is committed.
        PERFORM FROM products
        WHERE id IN (SELECT product_id FROM cartitems WHERE cart_id = cart)
        ORDER BY id
        FOR SHARE;
        IF NOT EXISTS (SELECT FROM cart_lines WHERE user_id = cart AND etag = ANY (expected)) THEN
            RAISE check_violation USING CONSTRAINT = 'ck__carts__expected';
        END IF;
    END IF;
    UPDATE carts SET version = version + 1, touched = now() WHERE user_id = cart AND NOT erased;
    IF NOT FOUND THEN
        RAISE no_data_found;
    END IF;
END
$$;

CREATE FUNCTION add_item(cart integer, product integer, amount integer, expected text[])
RETURNS SETOF cart_lines LANGUAGE plpgsql AS $$
BEGIN
    PERFORM begin_write(cart, expected);
    IF EXISTS (SELECT FROM cartitems WHERE cart_id = cart AND product_id = product) THEN
        RAISE unique_violation USING CONSTRAINT = 'uq__cartitems__cart_id_product_id';
    END IF;
    PERFORM FROM products WHERE id = product AND is_active FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE foreign_key_violation USING CONSTRAINT = 'fk__cartitems__product_id__products';
    END IF;
    INSERT INTO cartitems (cart_id, product_id, quantity) VALUES (cart, product, amount);
    RETURN QUERY SELECT * FROM cart_lines WHERE user_id = cart;
END
$$;

CREATE FUNCTION change_item(item integer, amount integer, expected text[])
RETURNS SETOF cart_lines LANGUAGE plpgsql AS $$
DECLARE
    cart integer := (SELECT cart_id FROM cartitems WHERE id = item);
BEGIN
    PERFORM begin_write(cart, expected);
    UPDATE cartitems SET quantity = amount WHERE id = item;
    IF NOT FOUND THEN
        RAISE no_data_found;
    END IF;
    RETURN QUERY SELECT * FROM cart_lines WHERE user_id = cart;
END
$$;

CREATE FUNCTION remove_item(item integer, expected text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    cart integer := (SELECT cart_id FROM cartitems WHERE id = item);
BEGIN
    PERFORM begin_write(cart, expected);
    DELETE FROM cartitems WHERE id = item;
    IF NOT FOUND THEN
        RAISE no_data_found;
    END IF;
END
$$;

CREATE FUNCTION clear_cart(cart integer, expected text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM begin_write(cart, expected);
    DELETE FROM cartitems WHERE cart_id = cart;
END
$$;
