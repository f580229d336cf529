-- The throttle wrote a row for each attempt that it refused, and could deadlock in its own clean-up.

-- Counts an attempt as failed before its outcome is known, so that no race gets more guesses than
-- allowed; `forgive_login` takes it back. Answers how many seconds to wait, 0 if the attempt is let in,
-- and then the time it is known by. Always locks the pair first and the address second. `account` is
-- an account's id or, where there is none, an email.
CREATE OR REPLACE FUNCTION begin_login(
    account text, address text, account_limit integer, address_limit integer, window_seconds integer,
    OUT wait_seconds integer, OUT begun timestamp with time zone
) LANGUAGE plpgsql AS $$
DECLARE
    pair_key bytea := sha256(convert_to(lower(account) || ' ' || address, 'UTF8'));
    address_key bytea := sha256(convert_to(address, 'UTF8'));
    since timestamp with time zone;
    pair_times timestamp with time zone[];
    address_times timestamp with time zone[];
    earliest timestamp with time zone;
BEGIN
    begun := clock_timestamp();
    since := begun - make_interval(secs => window_seconds);
    wait_seconds := 0;

    -- Looks first, so that an attempt that is refused writes nothing; then again, with both rows locked.
    FOR look IN 1..2 LOOP
        IF look = 2 THEN
            INSERT INTO login_failures (key, times, last_time) VALUES (pair_key, '{}', begun)
            ON CONFLICT (key) DO UPDATE SET last_time = excluded.last_time;
            INSERT INTO login_failures (key, times, last_time) VALUES (address_key, '{}', begun)
            ON CONFLICT (key) DO UPDATE SET last_time = excluded.last_time;
        END IF;

        pair_times := ARRAY(
            SELECT t FROM login_failures, unnest(times) AS t
            WHERE key = pair_key AND t > since ORDER BY t
        );
        address_times := ARRAY(
            SELECT t FROM login_failures, unnest(times) AS t
            WHERE key = address_key AND t > since ORDER BY t
        );

        -- Null unless the limit is reached; then the failure that has to be forgotten first.
        earliest := greatest(pair_times[cardinality(pair_times) - account_limit + 1],
                             address_times[cardinality(address_times) - address_limit + 1]);
        IF earliest IS NOT NULL THEN
            wait_seconds := greatest(1, ceil(extract(epoch FROM earliest - since)));
            RETURN;
        END IF;
    END LOOP;

    UPDATE login_failures SET times = pair_times || begun WHERE key = pair_key;
    UPDATE login_failures SET times = address_times || begun WHERE key = address_key;

    -- Last, so that who holds rows of others waits for nobody.
    DELETE FROM login_failures
    WHERE key IN (
        SELECT key FROM login_failures WHERE last_time < since
        ORDER BY last_time LIMIT 10 FOR UPDATE SKIP LOCKED
    );
END
$$;
