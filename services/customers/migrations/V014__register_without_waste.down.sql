-- Back to registrations that use up an id even if they are refused.
DROP TRIGGER tr__users__check_email ON users;
DROP FUNCTION check_email();
DROP FUNCTION create_user(text, text, text, text, boolean);
DROP FUNCTION email_lock(text);
