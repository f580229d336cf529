-- Spreads carts, their items and checkouts over 16 partitions each, by the hash of the user's id. Every
-- key contains that id, as hash partitions and shards require. Products stay one table.
--
-- For a database at the latest version of the migrations, with the services stopped, as the role that migrates:
--
--   psql --no-psqlrc --single-transaction --set ON_ERROR_STOP=1 --file partitioned.sql
--
-- All of it is done or nothing. docs/scaling.md ("Shards") says what is different afterwards.

LOCK TABLE carts, cartitems, checkouts, checkout_lines IN ACCESS EXCLUSIVE MODE;

-- What the new tables take over from the old ones. The views are replaced in place, because functions depend on them.
CREATE TEMPORARY TABLE views ON COMMIT DROP AS
SELECT relname AS name, pg_get_viewdef(pg_class.oid) AS definition
FROM pg_class
WHERE relname IN ('cart_lines', 'checkout_rows') AND relnamespace = current_schema()::regnamespace;

CREATE TEMPORARY TABLE grants ON COMMIT DROP AS
SELECT relname AS name, privilege_type AS privilege,
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role
FROM pg_class, aclexplode(relacl)
WHERE oid IN ('carts'::regclass, 'cartitems'::regclass, 'checkouts'::regclass, 'checkout_lines'::regclass)
    AND grantee <> relowner;

ALTER TABLE carts RENAME TO unpartitioned_carts;
ALTER TABLE cartitems RENAME TO unpartitioned_cartitems;
ALTER TABLE checkouts RENAME TO unpartitioned_checkouts;
ALTER TABLE checkout_lines RENAME TO unpartitioned_checkout_lines;

CREATE TABLE carts (LIKE unpartitioned_carts INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    PARTITION BY HASH (user_id);
CREATE TABLE cartitems (LIKE unpartitioned_cartitems INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    PARTITION BY HASH (cart_id);
CREATE TABLE checkouts (LIKE unpartitioned_checkouts INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    PARTITION BY HASH (user_id);
CREATE TABLE checkout_lines (LIKE unpartitioned_checkout_lines INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    PARTITION BY HASH (user_id);

DO $$
DECLARE
    name text;
BEGIN
    FOR part IN 0 .. 15 LOOP
        FOREACH name IN ARRAY ARRAY['carts', 'cartitems', 'checkouts', 'checkout_lines'] LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
                           name || '_' || to_char(part, 'FM00'), name, part);
        END LOOP;
    END LOOP;
END
$$;

INSERT INTO carts SELECT * FROM unpartitioned_carts;
INSERT INTO cartitems SELECT * FROM unpartitioned_cartitems;
INSERT INTO checkouts SELECT * FROM unpartitioned_checkouts;
INSERT INTO checkout_lines SELECT * FROM unpartitioned_checkout_lines;

-- The sequences go on where they are.
ALTER SEQUENCE carts_user_id_seq OWNED BY carts.user_id;
ALTER SEQUENCE cartitems_id_seq OWNED BY cartitems.id;
ALTER SEQUENCE checkouts_id_seq OWNED BY checkouts.id;

DO $$
DECLARE
    view record;
BEGIN
    FOR view IN SELECT name, definition FROM views LOOP
        EXECUTE format('CREATE OR REPLACE VIEW %I AS %s', view.name, view.definition);
    END LOOP;
END
$$;

DROP TABLE unpartitioned_checkout_lines, unpartitioned_checkouts, unpartitioned_cartitems, unpartitioned_carts;

ALTER TABLE carts ADD CONSTRAINT pk__carts PRIMARY KEY (user_id);

ALTER TABLE cartitems
    ADD CONSTRAINT pk__cartitems PRIMARY KEY (cart_id, id),
    ADD CONSTRAINT uq__cartitems__cart_id_product_id UNIQUE (cart_id, product_id),
    ADD CONSTRAINT fk__cartitems__cart_id__carts FOREIGN KEY (cart_id)
        REFERENCES carts (user_id) ON UPDATE CASCADE ON DELETE CASCADE,
    ADD CONSTRAINT fk__cartitems__product_id__products FOREIGN KEY (product_id)
        REFERENCES products (id) ON UPDATE CASCADE ON DELETE CASCADE;
CREATE INDEX ix__cartitems__product_id ON cartitems (product_id);
-- For administrators, who name an item without its cart.
CREATE INDEX ix__cartitems__id ON cartitems (id);

-- A unique key of positions, or of ids alone, is impossible here. Positions are given out by one caller at a time
-- (number_checkouts), and ids by a sequence.
ALTER TABLE checkouts
    ADD CONSTRAINT pk__checkouts PRIMARY KEY (user_id, id),
    ADD CONSTRAINT uq__checkouts__user_id_etag UNIQUE (user_id, etag);
CREATE INDEX ix__checkouts__id ON checkouts (id);
CREATE INDEX ix__checkouts__position ON checkouts (position);
CREATE INDEX ix__checkouts__without_position ON checkouts (id) WHERE position IS NULL;

ALTER TABLE checkout_lines
    ADD CONSTRAINT pk__checkout_lines PRIMARY KEY (user_id, checkout_id, number),
    ADD CONSTRAINT fk__checkout_lines__checkout_id__checkouts FOREIGN KEY (user_id, checkout_id)
        REFERENCES checkouts (user_id, id) ON DELETE CASCADE;

DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('GRANT %s ON %s TO %s', privilege, relid, role)
        FROM grants, pg_partition_tree(name::text::regclass)
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

ANALYZE carts, cartitems, checkouts, checkout_lines;
