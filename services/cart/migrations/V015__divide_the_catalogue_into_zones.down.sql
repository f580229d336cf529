-- Searches read the whole catalogue, until the indexes of earlier versions are back.
CREATE OR REPLACE FUNCTION finish_import() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM gin_clean_pending_list('ix__products__search');
    PERFORM gin_clean_pending_list('ix__products__grams');
    ANALYZE products;
END
$$;
DROP FUNCTION finish_import(integer[]);
DROP FUNCTION search_products(text, boolean, boolean, text, numeric, numeric, integer, text, integer);
DROP TRIGGER tr__products__updated ON products;
DROP TRIGGER tr__products__inserted ON products;
DROP FUNCTION add_updated_product();
DROP FUNCTION add_inserted_products();
DROP FUNCTION is_import();
DROP FUNCTION rebuild_product_zones();
DROP FUNCTION add_to_product_zones(integer[]);
DROP FUNCTION cut_product_zone(product_zones);
DROP FUNCTION lock_product_zones();
DROP TABLE product_zones;
DROP FUNCTION sort_key(text, numeric, text);
DROP FUNCTION searched_name(text);
