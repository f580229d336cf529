-- A search for a part of a product's name must not read the whole table.
-- migrate: outside a transaction
-- migrate: replaces 3ce44b4db2d865f36cb22df383b869c6f71f077a1c6f4caf6593ab0433d7c4eb
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Without fastupdate, so that no search has to wade through a list of pending entries.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix__products__search ON products USING gin (name gin_trgm_ops) WITH (fastupdate = off);
