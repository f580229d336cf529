-- Deleting a product cascades to its items, and must not read the whole table to find them.
CREATE INDEX ix__cartitems__product_id ON cartitems (product_id);
