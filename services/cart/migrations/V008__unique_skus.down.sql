-- Two products may have the same SKU then, and it is not found quickly.
DROP INDEX uq__products__lower_sku;
