-- A restored dump may hold rows without the sequences' positions; the next rows need free ids.
SELECT setval('products_id_seq', max(id))
FROM products
HAVING max(id) >= (SELECT last_value FROM products_id_seq);

SELECT setval('cartitems_id_seq', max(id))
FROM cartitems
HAVING max(id) >= (SELECT last_value FROM cartitems_id_seq);
