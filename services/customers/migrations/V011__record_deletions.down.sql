-- Forgets which users were deleted: services that have not learnt of a deletion by now never will.
DROP TRIGGER tr__users__record_deletions ON users;
DROP FUNCTION record_deletions();
DROP TABLE deletions;
