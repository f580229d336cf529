-- Before an administrator is demoted or deleted, the others are looked for.
CREATE INDEX ix__users__administrator ON users (id) WHERE is_admin;
