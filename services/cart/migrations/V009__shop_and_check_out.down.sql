-- Takes every checkout with it.
DROP FUNCTION number_checkouts(integer);
DROP FUNCTION check_out(integer, text[]);
DROP VIEW checkout_rows;
DROP TABLE checkout_lines;
DROP TABLE checkouts;
DROP FUNCTION merge_products(integer, integer[], integer[], text[]);
DROP FUNCTION add_product(integer, integer, integer, text[]);
DROP FUNCTION put_product(integer, integer, integer, text[]);
DROP FUNCTION require_on_sale(integer);
