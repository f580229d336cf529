-- Each login asks whether accounts with hashes of the reference are left.
CREATE INDEX ix__users__reference_hash ON users (id) WHERE password LIKE '$5$%';
