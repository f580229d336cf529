-- The indexes are built as V003, V005 and V011 left them.
-- migrate: outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix__products__search ON products USING gin (name gin_trgm_ops) WITH (fastupdate = on);
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix__products__grams ON products USING gin (grams(name)) WITH (fastupdate = on);
