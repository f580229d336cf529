-- Lists by price and by name, of the products on sale and of the others, each have their index.
-- migrate: outside a transaction

-- Prices are compared as they are shown. A name that is too long for an index, as the Python service
-- allowed, is sorted by its beginning.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix__products__active ON products (is_active, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix__products__active_price
    ON products (is_active, round(price, 2), id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix__products__active_name
    ON products (is_active, left(name, 256), id);

-- An import changes many products. With pending lists, which are merged in bulk, it takes a fifth of
-- the time, and a search takes at most a few milliseconds longer.
ALTER INDEX ix__products__search SET (fastupdate = on);
ALTER INDEX ix__products__grams SET (fastupdate = on);

-- Ends an import. Only the indexes' owner may merge their pending lists.
CREATE OR REPLACE FUNCTION finish_import() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM gin_clean_pending_list('ix__products__search');
    PERFORM gin_clean_pending_list('ix__products__grams');
    ANALYZE products;
END
$$;

-- So that the planner knows how the prices and names are distributed.
ANALYZE products;
