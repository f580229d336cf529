-- Each login asks whether accounts with hashes of the reference are left.
-- migrate: outside a transaction
-- migrate: replaces 71f81edba975505c1832ea389fadc45bd5fa43abc135fce00243b9c262c45c37
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix__users__reference_hash ON users (id) WHERE password LIKE '$5$%';
