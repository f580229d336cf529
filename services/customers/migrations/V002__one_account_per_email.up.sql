-- One account per email whatever its case; stops before changing anything where accounts collide.
-- migrate: outside a transaction
-- migrate: replaces 5f06ffad17ec676cf12f23c44b63778346662d0311556279f5a13f79ee3bcf31
DO $$
DECLARE
    collisions text;
BEGIN
    SELECT string_agg(spellings, E'\n' ORDER BY first_id)
    INTO collisions
    FROM (
        SELECT min(id) AS first_id,
               string_agg(format('id %s: %s', id, email), ', ' ORDER BY id) AS spellings
        FROM users
        GROUP BY lower(email)
        HAVING count(*) > 1
    ) AS collision;
    IF collisions IS NOT NULL THEN
        RAISE EXCEPTION 'some accounts have emails that differ only in case'
            USING ERRCODE = 'unique_violation',
                  DETAIL = collisions,
                  HINT = 'Delete or rename all but one account of each line, then migrate again.';
    END IF;
END
$$;

CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS uq__users__lower_email ON users (lower(email));
