-- The zones get the products, and the indexes that searches used before are dropped.
-- migrate: outside a transaction
SELECT rebuild_product_zones();
ANALYZE product_zones;

-- A replica of the version before searches the whole table until it is replaced. It still names the
-- function of the second index, so that one stays.
DROP INDEX CONCURRENTLY IF EXISTS ix__products__search;
DROP INDEX CONCURRENTLY IF EXISTS ix__products__grams;
