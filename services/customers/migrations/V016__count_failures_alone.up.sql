-- Guesses that were still being verified counted as failures, so parallel right passwords were refused. Failures alone count now.

-- The previous version of the program still calls begin_login and forgive_login, which count in the
-- same rows.

-- Returns the rows in which a guess counts: those of the account together with each of the client's
-- networks, then those of each network alone. `shares` has for each network how many times the limit
-- it may use. Without an account (null) only the networks count. Rows are always locked in the order
-- of `place`.
CREATE FUNCTION guess_rows(
    account text, networks text[], shares integer[], account_limit integer, address_limit integer
) RETURNS TABLE (place bigint, key bytea, most integer, is_of_account boolean)
LANGUAGE sql STABLE AS $$
    SELECT row_number() OVER (ORDER BY name = network, nth),
        sha256(convert_to(name, 'UTF8')),
        share * CASE WHEN name = network THEN address_limit ELSE account_limit END,
        name <> network
    FROM unnest(networks, shares) WITH ORDINALITY AS client (network, share, nth),
        unnest(ARRAY[lower(account) || ' ' || network, network]) AS name
    WHERE name IS NOT NULL
$$;

-- Returns the seconds until another guess is allowed, 0 if it is now.
CREATE FUNCTION guess_wait(
    account text, networks text[], shares integer[], account_limit integer, address_limit integer,
    window_seconds integer
) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT coalesce(max(greatest(1, ceil(extract(epoch FROM earliest - since)))), 0)::integer
    FROM (SELECT clock_timestamp() - make_interval(secs => window_seconds)) AS present (since),
        guess_rows(account, networks, shares, account_limit, address_limit) AS counted
        JOIN login_failures USING (key),
        -- There is none unless the limit is reached; then the failure that has to be forgotten first.
        LATERAL (
            SELECT t FROM unnest(times) AS t WHERE t > since ORDER BY t DESC OFFSET most - 1 LIMIT 1
        ) AS last_one (earliest)
$$;

-- Counts a wrong guess, unless the limit has been reached: then returns the seconds to wait, and the
-- client must not learn that the guess was wrong.
CREATE FUNCTION count_wrong_guess(
    account text, networks text[], shares integer[], account_limit integer, address_limit integer,
    window_seconds integer, OUT wait_seconds integer
) LANGUAGE plpgsql AS $$
DECLARE
    failed timestamp with time zone;
BEGIN
    -- Looks first, so that a guess that is refused writes nothing; then again, with all rows locked.
    FOR look IN 1..2 LOOP
        IF look = 2 THEN
            INSERT INTO login_failures (key, times, last_time)
            SELECT counted.key, '{}', clock_timestamp()
            FROM guess_rows(account, networks, shares, account_limit, address_limit) AS counted
            ORDER BY place
            ON CONFLICT (key) DO UPDATE SET last_time = excluded.last_time;
        END IF;
        wait_seconds := guess_wait(account, networks, shares, account_limit, address_limit,
                                   window_seconds);
        IF wait_seconds > 0 THEN
            RETURN;
        END IF;
    END LOOP;

    failed := clock_timestamp();
    UPDATE login_failures
    SET times = failed || ARRAY(
        SELECT t FROM unnest(times) AS t WHERE t > failed - make_interval(secs => window_seconds)
    )
    WHERE key IN (
        SELECT counted.key
        FROM guess_rows(account, networks, shares, account_limit, address_limit) AS counted
    );

    -- Last, so that who holds rows of others waits for nobody.
    DELETE FROM login_failures
    WHERE key IN (
        SELECT key FROM login_failures
        WHERE last_time < failed - make_interval(secs => window_seconds)
        ORDER BY last_time LIMIT 10 FOR UPDATE SKIP LOCKED
    );
END
$$;

-- Clears the failures of the account from the client's networks after a right guess, unless the limit
-- has been reached: then returns the seconds to wait, and the client must not learn that the guess was
-- right.
CREATE FUNCTION count_right_guess(
    account text, networks text[], shares integer[], account_limit integer, address_limit integer,
    window_seconds integer, OUT wait_seconds integer
) LANGUAGE plpgsql AS $$
DECLARE
    failures bytea[];
BEGIN
    wait_seconds := guess_wait(account, networks, shares, account_limit, address_limit,
                               window_seconds);
    IF wait_seconds > 0 THEN
        RETURN;
    END IF;
    failures := ARRAY(
        SELECT key
        FROM guess_rows(account, networks, shares, account_limit, address_limit)
        JOIN login_failures USING (key)
        WHERE is_of_account AND times <> '{}'
        ORDER BY place
        FOR UPDATE OF login_failures
    );
    UPDATE login_failures SET times = '{}' WHERE key = ANY(failures);
END
$$;
