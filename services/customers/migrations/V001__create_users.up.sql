-- The accounts, exactly as the Python services made them: their databases are taken over at this step.
CREATE TABLE users (
    id serial,
    created timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    email character varying NOT NULL,
    first_name character varying NOT NULL,
    last_name character varying NOT NULL,
    password character varying NOT NULL,
    is_admin boolean NOT NULL,
    CONSTRAINT pk__users PRIMARY KEY (id),
    CONSTRAINT uq__users__email UNIQUE (email)
);
