-- Only the speed of sorted lists and of imports is lost.
DROP FUNCTION finish_import();
DROP INDEX ix__products__active;
DROP INDEX ix__products__active_price;
DROP INDEX ix__products__active_name;
ALTER INDEX ix__products__search SET (fastupdate = off);
ALTER INDEX ix__products__grams SET (fastupdate = off);
