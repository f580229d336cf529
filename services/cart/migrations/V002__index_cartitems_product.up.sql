-- Deleting a product cascades to its items, and must not read the whole table to find them.
-- migrate: outside a transaction
-- migrate: replaces 0bcfe9da9c31bb1726906105db49772318e0decdd8903b7ed439c4d3fe9c96f7
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix__cartitems__product_id ON cartitems (product_id);
