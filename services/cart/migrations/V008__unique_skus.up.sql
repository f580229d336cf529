-- An SKU belongs to one product, whatever its case.
-- migrate: outside a transaction
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS uq__products__lower_sku ON products (lower(sku))
    WHERE sku IS NOT NULL;
