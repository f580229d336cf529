-- Versions, and the marks of erased carts, are lost; the carts and their items stay.
DROP FUNCTION clear_cart(integer, text[]);
DROP FUNCTION remove_item(integer, text[]);
DROP FUNCTION change_item(integer, integer, text[]);
DROP FUNCTION add_item(integer, integer, integer, text[]);
DROP FUNCTION begin_write(integer, text[]);
DROP VIEW cart_lines;
ALTER TABLE carts DROP COLUMN version, DROP COLUMN touched, DROP COLUMN erased;
