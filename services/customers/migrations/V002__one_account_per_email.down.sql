-- Emails that differ only in case may have an account each again.
DROP INDEX uq__users__lower_email;
