-- Back to logins without a limit.
DROP FUNCTION forgive_login(text, text, timestamp with time zone, boolean);
DROP FUNCTION begin_login(text, text, integer, integer, integer);
DROP TABLE login_failures;
