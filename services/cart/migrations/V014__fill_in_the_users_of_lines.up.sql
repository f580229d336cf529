-- A checkout's lines are found by its user and its id, also those that were made before.
-- migrate: outside a transaction
UPDATE checkout_lines
SET user_id = checkouts.user_id
FROM checkouts
WHERE checkouts.id = checkout_lines.checkout_id AND checkout_lines.user_id IS NULL;

-- The check is validated without a lock that would stop others, and then spares NOT NULL its own look.
-- Adding it waits for the writers at work, of which some may still have run the function before V013:
-- so the lines without a user are looked for again.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'ck__checkout_lines__user_id') THEN
        ALTER TABLE checkout_lines
            ADD CONSTRAINT ck__checkout_lines__user_id CHECK (user_id IS NOT NULL) NOT VALID;
    END IF;
END
$$;
UPDATE checkout_lines
SET user_id = checkouts.user_id
FROM checkouts
WHERE checkouts.id = checkout_lines.checkout_id AND checkout_lines.user_id IS NULL;
ALTER TABLE checkout_lines VALIDATE CONSTRAINT ck__checkout_lines__user_id;
ALTER TABLE checkout_lines
    ALTER COLUMN user_id SET NOT NULL,
    DROP CONSTRAINT ck__checkout_lines__user_id;

CREATE OR REPLACE VIEW checkout_rows AS
SELECT
    checkouts.id,
    checkouts.user_id,
    checkouts.created,
    checkouts.total_price::text AS total_price,
    checkouts.position,
    line.number,
    line.product_id,
    line.sku,
    line.name,
    line.price::text AS price,
    line.quantity,
    (line.price * line.quantity)::text AS line_total
FROM checkouts
JOIN checkout_lines AS line
    ON line.user_id = checkouts.user_id AND line.checkout_id = checkouts.id;
