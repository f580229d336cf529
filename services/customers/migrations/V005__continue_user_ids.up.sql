-- A restored dump may hold rows without the sequence's position; the next account needs a free id.
SELECT setval('users_id_seq', max(id))
FROM users
HAVING max(id) >= (SELECT last_value FROM users_id_seq);
