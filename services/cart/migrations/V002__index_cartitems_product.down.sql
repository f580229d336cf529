-- Only the speed of deleting a product is lost.
DROP INDEX ix__cartitems__product_id;
