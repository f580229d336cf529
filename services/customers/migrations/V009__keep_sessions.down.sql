-- Ends all sessions: their tokens are refused, so everybody logs in again.
DROP TRIGGER tr__users__end_sessions ON users;
DROP FUNCTION end_sessions();
DROP FUNCTION recover_account(bytea, text);
DROP FUNCTION begin_session(integer, integer, text, timestamp with time zone, text, text);
DROP TABLE recovery_codes;
DROP TABLE sessions;
ALTER TABLE users DROP COLUMN last_session;
