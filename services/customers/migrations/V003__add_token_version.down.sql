-- Forgets which tokens a password change revoked: those not yet expired are accepted again.
ALTER TABLE users DROP COLUMN token_version;
