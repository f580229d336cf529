-- A search for fewer than three letters has no trigram, and must not read the whole table either.
-- migrate: outside a transaction
-- migrate: replaces 42354ebfc26e95b9213580c9aa4f7a6244b4bbbc730689dc5cbea0d267e225d6
-- A text's characters and pairs of neighbours, in lower case.
CREATE OR REPLACE FUNCTION grams(value text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    characters text[] := string_to_array(lower(value), NULL);
    grams text[] := characters;
BEGIN
    FOR i IN 2 .. cardinality(characters) LOOP
        grams := grams || (characters[i - 1] || characters[i]);
    END LOOP;
    RETURN grams;
END
$$;

CREATE INDEX CONCURRENTLY IF NOT EXISTS ix__products__grams ON products USING gin (grams(name)) WITH (fastupdate = off);

-- So that the planner knows at once which of them are rare.
ANALYZE products;
