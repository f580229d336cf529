-- Spellings of one email that differ in more than case may have an account each again.
DROP INDEX uq__users__canonical_email;
