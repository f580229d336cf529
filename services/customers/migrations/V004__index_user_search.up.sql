-- A search for a part of an email or a name must not read the whole table.
-- migrate: outside a transaction
-- migrate: replaces e00ea6fd4c64c3e1e479ae36802ee94231dd6d7d22b6cd2f058012cecf7d6e80
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Without fastupdate, so that no search has to wade through a list of pending entries.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix__users__search ON users
    USING gin (email gin_trgm_ops, first_name gin_trgm_ops, last_name gin_trgm_ops)
    WITH (fastupdate = off);
