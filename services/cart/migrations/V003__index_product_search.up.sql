-- A search for a part of a product's name must not read the whole table.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Without fastupdate, so that no search has to wade through a list of pending entries.
CREATE INDEX ix__products__search ON products USING gin (name gin_trgm_ops) WITH (fastupdate = off);
