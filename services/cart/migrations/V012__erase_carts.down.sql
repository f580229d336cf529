-- Forgets how far deletions are applied; all are applied again when this is migrated up.
DROP FUNCTION erase_cart(integer, bigint, bigint);
DROP TABLE erasure_cursor;
