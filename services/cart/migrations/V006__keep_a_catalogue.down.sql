-- The new columns' values are lost.
ALTER TABLE products
    DROP CONSTRAINT ck__products__price,
    DROP COLUMN sku,
    DROP COLUMN image_url,
    DROP COLUMN stock,
    DROP COLUMN is_active;
