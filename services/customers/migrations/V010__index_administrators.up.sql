-- Before an administrator is demoted or deleted, the others are looked for.
-- migrate: outside a transaction
-- migrate: replaces 467fc7311a3a324ddc10d0e2533f565c1c8ae6daebc0a4d9284b645b2f13ba2e
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix__users__administrator ON users (id) WHERE is_admin;
