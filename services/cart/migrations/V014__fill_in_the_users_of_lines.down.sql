-- Lines are found by their checkout's id alone.
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
JOIN checkout_lines AS line ON line.checkout_id = checkouts.id;

ALTER TABLE checkout_lines ALTER COLUMN user_id DROP NOT NULL;
