-- A product has an SKU, a picture, a counted stock and a time off sale; a price is a number from 0 on.
-- Prices that no shop can charge stop the migration before it changes anything.
DO $$
DECLARE
    bad_prices text;
BEGIN
    SELECT string_agg(format('id %s: %s', id, price), E'\n' ORDER BY id)
    INTO bad_prices
    FROM products
    WHERE NOT (price >= 0 AND price < 'Infinity');
    IF bad_prices IS NOT NULL THEN
        RAISE EXCEPTION 'some products have a price that is negative or no number'
            USING ERRCODE = 'check_violation',
                  DETAIL = bad_prices,
                  HINT = 'Correct the prices of these products, then migrate again.';
    END IF;
END
$$;

-- One statement, so that the table is read once. The collation makes lower(sku) the same in every
-- database, whatever its locale.
ALTER TABLE products
    ADD COLUMN sku text COLLATE "C",
    ADD COLUMN image_url text,
    ADD COLUMN stock integer,
    ADD COLUMN is_active boolean NOT NULL DEFAULT true,
    ADD CONSTRAINT ck__products__price CHECK (price >= 0 AND price < 'Infinity'),
    ADD CONSTRAINT ck__products__sku CHECK (sku ~ '^[A-Za-z0-9._-]{1,64}$'),
    ADD CONSTRAINT ck__products__image_url
        CHECK (image_url ~* '^https?://' AND octet_length(image_url) <= 2048),
    ADD CONSTRAINT ck__products__stock CHECK (stock >= 0);
