-- Takes every cart and product with it, also those of a database that was taken over.
DROP TABLE cartitems;
DROP TABLE carts;
DROP TABLE products;
