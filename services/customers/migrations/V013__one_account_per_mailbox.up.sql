-- Two accounts must not have spellings of one email. The version before needs uq__users__lower_email as well.
-- migrate: outside a transaction
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS uq__users__canonical_email
    ON users (canonical_email(email));
