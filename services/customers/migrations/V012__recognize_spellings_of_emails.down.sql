-- Emails are compared by their case alone again.
DROP FUNCTION canonical_email(text);
