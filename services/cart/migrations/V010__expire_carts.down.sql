-- Old carts stay full; what was removed does not come back.
DROP FUNCTION expire_carts(integer, integer, integer);
