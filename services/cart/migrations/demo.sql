-- Demonstration products, and a cart with one item for each of the demonstration accounts.
--
-- Only ids that the sequences have never given out are used, no row is touched, and only a cart that
-- is new gets an item: installing again changes nothing and brings back nothing that was deleted.
INSERT INTO products (id, name, description, price)
SELECT demo.*
FROM (VALUES
    (1, 'Product_0', 'Natural authority mean affect.', 149.99),
    (2, 'Product_1', 'Better model himself gun.', 299.99),
    (3, 'Product_2', 'Head turn thought suggest trouble.', 99.99),
    (4, 'Product_3', 'Order hope opportunity.', 149.99)
) AS demo (id, name, description, price),
    products_id_seq AS given
WHERE demo.id > given.last_value OR (demo.id = given.last_value AND NOT given.is_called)
ON CONFLICT DO NOTHING;

WITH new_carts AS (
    INSERT INTO carts (user_id)
    SELECT demo.user_id
    FROM generate_series(1, 4) AS demo (user_id), carts_user_id_seq AS given
    WHERE demo.user_id > given.last_value
        OR (demo.user_id = given.last_value AND NOT given.is_called)
    ON CONFLICT DO NOTHING
    RETURNING user_id
)
INSERT INTO cartitems (id, cart_id, product_id, quantity)
SELECT demo.*
FROM (VALUES
    (1, 1, 1, 1),
    (2, 2, 2, 5),
    (3, 3, 3, 5),
    (4, 4, 4, 5)
) AS demo (id, cart_id, product_id, quantity)
    JOIN new_carts ON new_carts.user_id = demo.cart_id
    JOIN products ON products.id = demo.product_id,
    cartitems_id_seq AS given
WHERE demo.id > given.last_value OR (demo.id = given.last_value AND NOT given.is_called)
ON CONFLICT DO NOTHING;

SELECT setval('products_id_seq', max(id))
FROM products
HAVING max(id) >= (SELECT last_value FROM products_id_seq);

SELECT setval('carts_user_id_seq', max(user_id))
FROM carts
HAVING max(user_id) >= (SELECT last_value FROM carts_user_id_seq);

SELECT setval('cartitems_id_seq', max(id))
FROM cartitems
HAVING max(id) >= (SELECT last_value FROM cartitems_id_seq);
