-- A search must find its page quickly wherever its products are, so it looks through zones: pieces of the catalogue in the order of a sort.

-- Returns the text of a name in which a search looks for a term: in lower case, on one line, and with a
-- letter for each space, so that trigrams reach across words. As a capital it stands for nothing else.
-- Whatever a search finds there, it compares with the name itself.
CREATE FUNCTION searched_name(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN translate(lower(name), E' \n', 'QQ');

-- Returns the price and the name that a sort compares before the id; 0 or '' if it compares none.
CREATE FUNCTION sort_key(sort text, product_price numeric, product_name text)
RETURNS TABLE (price numeric, name text) LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT
        CASE sort WHEN 'price' THEN round(product_price, 2) ELSE 0 END,
        CASE sort WHEN 'name' THEN left(product_name, 256) ELSE '' END;
END;

-- Each sort ('id', 'price' and 'name') has zones for the products on sale and zones for the others. A
-- product's key is its sort_key() and its id. It belongs to the zone with the highest lower bound up to
-- its key. A zone ends where the next one begins; the last has no upper bound.
--
-- Each product of a zone is in one of the zone's rows: its id and its searched_name() have the same place
-- in `ids` and in the lines of `names`, and its price is one of those from `min_price` to `max_price`. The
-- rows may also have products that have left the zone, and names and prices that have changed.
CREATE TABLE product_zones (
    sort text NOT NULL,
    is_active boolean NOT NULL,
    lower_price numeric NOT NULL,
    lower_name text NOT NULL,
    lower_id integer NOT NULL,
    upper_price numeric,
    upper_name text,
    upper_id integer,
    min_price numeric,
    max_price numeric,
    ids integer[] NOT NULL,
    names text NOT NULL
) WITH (toast_tuple_target = 8160);

-- A row stays in one page of the table, so that its names are read without a look-up or decompression.
ALTER TABLE product_zones
    ALTER COLUMN ids SET STORAGE EXTERNAL,
    ALTER COLUMN names SET STORAGE EXTERNAL;

CREATE INDEX ix__product_zones__lower
    ON product_zones (sort, is_active, lower_price, lower_name, lower_id);
CREATE INDEX ix__product_zones__names_by_id ON product_zones USING gin (names gin_trgm_ops)
    WHERE sort = 'id';
CREATE INDEX ix__product_zones__names_by_price ON product_zones USING gin (names gin_trgm_ops)
    WHERE sort = 'price';
CREATE INDEX ix__product_zones__names_by_name ON product_zones USING gin (names gin_trgm_ops)
    WHERE sort = 'name';

-- Whoever writes zones calls this first, so that writers take turns: each sees what the one before it has
-- committed, and no product falls between two zones. Whoever has called it waits for no product, because
-- the writer who has locked that product may be waiting here.
CREATE FUNCTION lock_product_zones() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('product_zones'));
END
$$;

-- Replaces the rows of a zone by zones of one row each, which have what belongs to the zone now.
CREATE FUNCTION cut_product_zone(zone product_zones) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    members integer[];
BEGIN
    WITH gone AS (
        DELETE FROM product_zones
        WHERE sort = zone.sort
            AND is_active = zone.is_active
            AND (lower_price, lower_name, lower_id)
                = (zone.lower_price, zone.lower_name, zone.lower_id)
        RETURNING ids
    )
    SELECT array_agg(DISTINCT member) INTO members FROM gone CROSS JOIN unnest(ids) AS member;

    INSERT INTO product_zones
    SELECT zone.sort, zone.is_active, price, name, id,
        CASE WHEN is_last THEN zone.upper_price ELSE lead(price) OVER pieces END,
        CASE WHEN is_last THEN zone.upper_name ELSE lead(name) OVER pieces END,
        CASE WHEN is_last THEN zone.upper_id ELSE lead(id) OVER pieces END,
        min_price, max_price, ids, names
    FROM (
        SELECT
            piece = max(piece) OVER () AS is_last,
            CASE piece WHEN 0 THEN zone.lower_price ELSE min(price) END AS price,
            CASE piece WHEN 0 THEN zone.lower_name ELSE min(name) END AS name,
            CASE piece
                WHEN 0 THEN zone.lower_id
                ELSE (array_agg(id ORDER BY price, name, id))[1]
            END AS id,
            min(shown_price) AS min_price,
            max(shown_price) AS max_price,
            array_agg(id) AS ids,
            string_agg(line, E'\n') AS names
        FROM (
            SELECT *, coalesce(sum(octet_length(line) + 5) OVER earlier, 0) / 3500 AS piece
            FROM (
                SELECT id, key.price, key.name, round(products.price, 2) AS shown_price,
                    searched_name(products.name) AS line
                FROM unnest(members) AS member (id)
                JOIN products USING (id)
                CROSS JOIN sort_key(zone.sort, products.price, products.name) AS key
                WHERE is_active = zone.is_active
            ) AS present
            WHERE (price, name, id) >= (zone.lower_price, zone.lower_name, zone.lower_id)
                AND (zone.upper_id IS NULL
                     OR (price, name, id) < (zone.upper_price, zone.upper_name, zone.upper_id))
            WINDOW earlier AS (
                ORDER BY price, name, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            )
        ) AS placed
        GROUP BY piece
    ) AS cut
    WINDOW pieces AS (ORDER BY price, name, id);
    IF NOT FOUND THEN
        INSERT INTO product_zones
        SELECT zone.sort, zone.is_active, zone.lower_price, zone.lower_name, zone.lower_id,
            zone.upper_price, zone.upper_name, zone.upper_id, NULL, NULL, '{}', '';
    END IF;
END
$$;

-- The path of the functions below that have the owner's rights. They must not find a caller's temporary tables first.
SELECT set_config('search_path', format('%I, pg_temp', current_schema()), true);

-- Adds products that are new or have changed to their zones, and cuts the zones that have grown to
-- several times their size. Serving roles need not write to the table themselves.
CREATE FUNCTION add_to_product_zones(changed integer[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT
AS $$
DECLARE
    zone product_zones;
BEGIN
    PERFORM lock_product_zones();
    FOR zone IN
        INSERT INTO product_zones
        SELECT target.*, min(line.price), max(line.price), array_agg(line.id),
            string_agg(line.name, E'\n')
        FROM unnest('{id, price, name}'::text[]) AS sort
        CROSS JOIN (
            SELECT id, is_active, round(price, 2) AS price, name AS shown_name,
                searched_name(name) AS name
            FROM unnest(changed) AS product (id)
            JOIN products USING (id)
        ) AS line
        CROSS JOIN sort_key(sort, line.price, line.shown_name) AS key
        CROSS JOIN LATERAL (
            SELECT product_zones.sort, is_active, lower_price, lower_name, lower_id,
                upper_price, upper_name, upper_id
            FROM product_zones
            WHERE product_zones.sort = sort.sort
                AND is_active = line.is_active
                AND (lower_price, lower_name, lower_id) <= (key.price, key.name, line.id)
            ORDER BY lower_price DESC, lower_name DESC, lower_id DESC
            LIMIT 1
        ) AS target
        WHERE NOT EXISTS (
            SELECT
            FROM product_zones AS present
            CROSS JOIN unnest(ids, string_to_array(names, E'\n')) AS present_line (id, name)
            WHERE present.sort = target.sort
                AND present.is_active = target.is_active
                AND (present.lower_price, present.lower_name, present.lower_id)
                    = (target.lower_price, target.lower_name, target.lower_id)
                AND line.id = ANY (ids)
                AND line.price BETWEEN min_price AND max_price
                AND (present_line.id, present_line.name) = (line.id, line.name)
        )
        GROUP BY target.sort, target.is_active,
            target.lower_price, target.lower_name, target.lower_id,
            target.upper_price, target.upper_name, target.upper_id
        RETURNING *
    LOOP
        IF (
            SELECT count(*) > 16 OR sum(octet_length(names)) > 8000
            FROM product_zones
            WHERE sort = zone.sort
                AND is_active = zone.is_active
                AND (lower_price, lower_name, lower_id)
                    = (zone.lower_price, zone.lower_name, zone.lower_id)
        ) THEN
            PERFORM cut_product_zone(zone);
        END IF;
    END LOOP;
END
$$;

-- Cuts the zones of all products anew. Other writers of the catalogue wait; searches do not.
CREATE FUNCTION rebuild_product_zones() RETURNS void LANGUAGE plpgsql
SET work_mem = '64MB' SET gin_pending_list_limit = '16MB'
AS $$
DECLARE
    zone product_zones;
BEGIN
    PERFORM lock_product_zones();
    DELETE FROM product_zones;
    FOR zone IN
        INSERT INTO product_zones
        SELECT sort, kind.is_active, 0, '', -2147483648, NULL, NULL, NULL, NULL, NULL,
            ARRAY(SELECT id FROM products WHERE products.is_active = kind.is_active), ''
        FROM unnest('{id, price, name}'::text[]) AS sort
        CROSS JOIN unnest('{true, false}'::boolean[]) AS kind (is_active)
        RETURNING *
    LOOP
        PERFORM cut_product_zone(zone);
    END LOOP;
    PERFORM gin_clean_pending_list(index)
    FROM unnest('{ix__product_zones__names_by_id, ix__product_zones__names_by_price,
                  ix__product_zones__names_by_name}'::regclass[]) AS index;
END
$$;

-- An import sets this for its transaction. It writes many products, and then adds them to the zones at once.
CREATE FUNCTION is_import() RETURNS boolean LANGUAGE sql STABLE
RETURN coalesce(current_setting('microcart.is_import', true), '') = 'on';

CREATE FUNCTION add_inserted_products() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT is_import() THEN
        PERFORM add_to_product_zones(array_agg(id)) FROM inserted HAVING count(*) > 0;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION add_updated_product() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_to_product_zones(ARRAY[NEW.id]);
    RETURN NULL;
END
$$;

CREATE TRIGGER tr__products__inserted
    AFTER INSERT ON products
    REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION add_inserted_products();

-- A checkout changes only the stock.
CREATE TRIGGER tr__products__updated
    AFTER UPDATE OF id, name, price, is_active ON products
    FOR EACH ROW
    WHEN (NOT is_import()
          AND (OLD.id <> NEW.id OR OLD.name <> NEW.name OR OLD.price <> NEW.price
               OR OLD.is_active <> NEW.is_active))
    EXECUTE FUNCTION add_updated_product();

-- Returns products whose names contain a term in any case, whose prices are not below `lowest` or above
-- `highest`, and whose keys come after `after_key` and `after_id` in the direction of the list; null stands
-- for no condition. They are all such products of one zone after the other in this direction, until there
-- are `enough`, so a page has the first of them.
CREATE FUNCTION search_products(
    sorted_by text, is_descending boolean, active boolean, term text, lowest numeric,
    highest numeric, after_id integer, after_key text, enough integer
) RETURNS SETOF products LANGUAGE plpgsql STABLE
-- The cost of a page of the table is that of the next one, so that zones are read in the order of their
-- index, which can stop, and not sorted.
SET plan_cache_mode = force_generic_plan SET random_page_cost = 1
AS $$
DECLARE
    -- Rows of zones that are looked at in any case, and products that are looked at one by one.
    near CONSTANT integer := 32;
    few CONSTANT integer := 2000 + 10 * enough;
    pattern CONSTANT text := '%' || regexp_replace(term, '([\\%_])', '\\\1', 'g') || '%';
    searched CONSTANT text := searched_name(pattern);
    trigrams CONSTANT text[] := ARRAY(
        SELECT '%' || substr(searched, place, 3) || '%'
        FROM generate_series(1, length(searched) - 2) AS place
        WHERE substr(searched, place, 3) ~ '^[[:alnum:]]{3}$'
    );
    has_prices CONSTANT text :=
        '($3 IS NULL OR max_price >= $3) AND ($4 IS NULL OR min_price <= $4)';
    -- The index compares texts. Comparing all of them as bytes takes about half as long.
    matches_text CONSTANT text := 'names LIKE $2 AND ' || has_prices;
    matches_bytes CONSTANT text := 'position($1 IN textsend(names)) > 0 AND ' || has_prices;
    after_price CONSTANT numeric := CASE sorted_by WHEN 'price' THEN after_key::numeric ELSE 0 END;
    after_name CONSTANT text := CASE sorted_by WHEN 'name' THEN after_key ELSE '' END;
    is_near boolean;
    seen integer := 0;
    with_trigrams integer := 0;
    place record;
    zone record;
    is_searched boolean := false;
    candidates integer[];
    found_here bigint;
    found bigint := 0;
BEGIN
    IF lowest IS NOT NULL OR highest IS NOT NULL THEN
        candidates := ARRAY(
            SELECT id
            FROM products
            WHERE is_active = active
                AND round(price, 2) BETWEEN coalesce(lowest, 0) AND coalesce(highest, 'Infinity')
            LIMIT few
        );
        IF cardinality(candidates) < few THEN
            RETURN QUERY
            SELECT products.*
            FROM products
            CROSS JOIN sort_key(sorted_by, products.price, products.name) AS key
            WHERE id = ANY (candidates)
                AND (after_id IS NULL OR CASE WHEN is_descending
                        THEN (key.price, key.name, id) < (after_price, after_name, after_id)
                        ELSE (key.price, key.name, id) > (after_price, after_name, after_id) END)
                AND products.name ILIKE pattern;
            RETURN;
        END IF;
    END IF;

    -- The zone in which the page begins.
    IF is_descending AND after_id IS NULL AND (sorted_by <> 'price' OR highest IS NULL) THEN
        SELECT lower_price, lower_name, lower_id INTO place
        FROM product_zones
        WHERE sort = sorted_by AND is_active = active
        ORDER BY lower_price DESC, lower_name DESC, lower_id DESC
        LIMIT 1;
    ELSE
        SELECT lower_price, lower_name, lower_id INTO place
        FROM product_zones
        WHERE sort = sorted_by
            AND is_active = active
            AND (lower_price, lower_name, lower_id) <= (
                coalesce(after_price, CASE WHEN is_descending THEN highest ELSE lowest END, 0),
                coalesce(after_name, ''),
                coalesce(after_id, CASE WHEN is_descending THEN 2147483647 ELSE -2147483648 END))
        ORDER BY lower_price DESC, lower_name DESC, lower_id DESC
        LIMIT 1;
    END IF;

    -- The nearest rows are looked at in turn, which is the fastest way to find a common term. The index
    -- finds those of the rest that have the term's trigrams, unless this is probably true of most rows.
    FOREACH is_near IN ARRAY ARRAY[true, false] LOOP
        FOR zone IN EXECUTE format(
            'SELECT lower_price, lower_name, lower_id, upper_price, upper_name, upper_id, '
            '%s AS matches, %s AS has_trigrams '
            'FROM product_zones '
            'WHERE sort = %L AND is_active = %L '
            'AND (lower_price, lower_name, lower_id) %s ($5, $6, $7) AND %s '
            'ORDER BY lower_price %7$s, lower_name %7$s, lower_id %7$s LIMIT %s',
            CASE WHEN is_near THEN matches_bytes ELSE 'true' END,
            CASE WHEN is_near THEN 'names LIKE ALL ($8)' ELSE 'true' END,
            sorted_by,
            active,
            CASE WHEN is_descending THEN '<=' ELSE '>=' END,
            CASE
                WHEN is_near THEN 'true'
                WHEN with_trigrams > near / 2 THEN matches_bytes
                ELSE matches_text
            END,
            CASE WHEN is_descending THEN 'DESC' ELSE 'ASC' END,
            CASE WHEN is_near THEN near::text ELSE 'ALL' END)
            USING textsend(searched_name(term)), searched, lowest, highest,
                place.lower_price, place.lower_name, place.lower_id, trigrams
        LOOP
            seen := seen + 1;
            with_trigrams := with_trigrams + zone.has_trigrams::integer;
            IF (zone.lower_price, zone.lower_name, zone.lower_id)
                <> (place.lower_price, place.lower_name, place.lower_id) THEN
                is_searched := false;
            END IF;
            place := zone;
            CONTINUE WHEN is_searched OR NOT zone.matches;
            is_searched := true;
            RETURN QUERY
            SELECT products.*
            FROM products
            CROSS JOIN sort_key(sorted_by, products.price, products.name) AS key
            WHERE id = ANY (ARRAY(
                    SELECT line.id
                    FROM product_zones
                    CROSS JOIN unnest(ids, string_to_array(names, E'\n')) AS line (id, name)
                    WHERE sort = sorted_by
                        AND product_zones.is_active = active
                        AND (lower_price, lower_name, lower_id)
                            = (zone.lower_price, zone.lower_name, zone.lower_id)
                        AND coalesce(line.name, '') LIKE searched
                ))
                AND products.is_active = active
                AND (key.price, key.name, id)
                    >= (zone.lower_price, zone.lower_name, zone.lower_id)
                AND (zone.upper_id IS NULL OR (key.price, key.name, id)
                        < (zone.upper_price, zone.upper_name, zone.upper_id))
                AND (lowest IS NULL OR round(products.price, 2) >= lowest)
                AND (highest IS NULL OR round(products.price, 2) <= highest)
                AND (after_id IS NULL OR CASE WHEN is_descending
                        THEN (key.price, key.name, id) < (after_price, after_name, after_id)
                        ELSE (key.price, key.name, id) > (after_price, after_name, after_id) END)
                AND products.name ILIKE pattern;
            GET DIAGNOSTICS found_here = ROW_COUNT;
            found := found + found_here;
            IF found >= enough THEN
                RETURN;
            END IF;
        END LOOP;
        EXIT WHEN seen < near;
    END LOOP;
END
$$;

-- Ends an import that has written products with these ids. A rebuild takes about as long as adding a
-- twentieth of the products.
CREATE FUNCTION finish_import(written integer[]) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
    IF 20::bigint * cardinality(written) > (SELECT count(*) FROM products) THEN
        PERFORM rebuild_product_zones();
    ELSE
        PERFORM add_to_product_zones(written);
    END IF;
    ANALYZE products, product_zones;
END
$$;

-- The same for an import by the version before, whose products the triggers add.
CREATE OR REPLACE FUNCTION finish_import() RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
    ANALYZE products, product_zones;
END
$$;

-- Makes zones without bounds, for the products to come. The next migration adds the present ones.
INSERT INTO product_zones (sort, is_active, lower_price, lower_name, lower_id, ids, names)
SELECT sort, is_active, 0, '', -2147483648, '{}', ''
FROM unnest('{id, price, name}'::text[]) AS sort
CROSS JOIN unnest('{true, false}'::boolean[]) AS is_active;
