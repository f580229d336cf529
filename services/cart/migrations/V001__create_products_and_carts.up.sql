-- Products and carts, exactly as the Python services made them: their databases are taken over at this step.
CREATE TABLE products (
    id serial,
    created timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    name character varying NOT NULL,
    description text NOT NULL,
    price numeric NOT NULL,
    CONSTRAINT pk__products PRIMARY KEY (id)
);

-- A cart's id is its user's id; the sequence is inherited, and nothing draws from it.
CREATE TABLE carts (
    user_id serial,
    CONSTRAINT pk__carts PRIMARY KEY (user_id)
);

CREATE TABLE cartitems (
    id serial,
    created timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    cart_id integer NOT NULL,
    product_id integer NOT NULL,
    quantity smallint NOT NULL,
    CONSTRAINT pk__cartitems PRIMARY KEY (id),
    CONSTRAINT uq__cartitems__cart_id_product_id UNIQUE (cart_id, product_id),
    CONSTRAINT fk__cartitems__cart_id__carts FOREIGN KEY (cart_id)
        REFERENCES carts (user_id) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT fk__cartitems__product_id__products FOREIGN KEY (product_id)
        REFERENCES products (id) ON UPDATE CASCADE ON DELETE CASCADE
);
