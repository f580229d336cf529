-- A password change must revoke earlier tokens: they carry this number, and the change increments it.
ALTER TABLE users ADD COLUMN token_version integer NOT NULL DEFAULT 0;
