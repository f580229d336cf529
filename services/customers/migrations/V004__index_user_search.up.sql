-- A search for a part of an email or a name must not read the whole table.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Without fastupdate, so that no search has to wade through a list of pending entries.
CREATE INDEX ix__users__search ON users
    USING gin (email gin_trgm_ops, first_name gin_trgm_ops, last_name gin_trgm_ops)
    WITH (fastupdate = off);
