-- One account per mailbox, however its email is written; stops before changing anything where accounts collide.

-- Returns the same text for all spellings of one email: its case, Unicode's equivalent and compatible
-- characters (NFKC), a domain in Unicode or in punycode, and a local part with or without quotes do
-- not matter. Older and newer programs send mail to a domain with "ß" or "ς" to different hosts
-- (IDNA 2003 and 2008), so both count as one. Any text is accepted; a label that is no punycode
-- stays as it is.
CREATE FUNCTION canonical_email(email text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    local text;
    domain text;
    labels text[];
    -- The decoder of RFC 3492, section 6.2, with the RFC's names.
    input text;
    output text;
    n bigint;
    i bigint;
    old_i bigint;
    bias bigint;
    w bigint;
    k bigint;
    t bigint;
    digit bigint;
    delta bigint;
    points bigint;
BEGIN
    -- Nearly all emails are plain. Text this long is no email, and normalizing it could take long.
    IF octet_length(email) > 1024 OR position('@' IN email) = 0
        OR octet_length(email) = char_length(email) AND email !~* '"|@(.*\.)?xn--' THEN
        RETURN lower(email COLLATE "C");
    END IF;

    domain := substring(email FROM '[^@]*$');
    local := left(email, -1 - char_length(domain));
    IF local ~ '^".*"$' AND char_length(local) > 1 THEN
        local := regexp_replace(substr(local, 2, char_length(local) - 2), '\\(.)', '\1', 'g');
    END IF;
    -- NFKC maps wide dots to ASCII's, and the ideographic one is a dot in domains.
    domain := replace(lower(normalize(domain, NFKC) COLLATE "und-x-icu"), '。', '.');

    labels := string_to_array(domain, '.');
    FOR label IN 1..cardinality(labels) LOOP
        CONTINUE WHEN labels[label] !~ '^xn--[-a-z0-9]{1,59}$';
        input := substr(labels[label], 5);
        output := CASE WHEN input LIKE '%-%' THEN regexp_replace(input, '-[^-]*$', '') ELSE '' END;
        input := regexp_replace(input, '^.*-', '');
        n := 128;
        i := 0;
        bias := 72;
        WHILE input <> '' LOOP
            old_i := i;
            w := 1;
            k := 36;
            LOOP
                digit := position(left(input, 1) IN 'abcdefghijklmnopqrstuvwxyz0123456789') - 1;
                input := substr(input, 2);
                i := i + digit * w;
                t := least(greatest(k - bias, 1), 26);
                EXIT WHEN digit < t OR i > 2147483647 OR input = '';
                w := w * (36 - t);
                k := k + 36;
            END LOOP;
            points := char_length(output) + 1;
            n := n + i / points;
            -- The number does not end, or is no character.
            IF digit >= t OR n > 1114111 OR n BETWEEN 55296 AND 57343 THEN
                output := NULL;
                EXIT;
            END IF;
            delta := (i - old_i) / CASE old_i WHEN 0 THEN 700 ELSE 2 END;
            delta := delta + delta / points;
            k := 0;
            WHILE delta > 455 LOOP
                delta := delta / 35;
                k := k + 36;
            END LOOP;
            bias := k + 36 * delta / (delta + 38);
            i := i % points;
            output := left(output, i::integer) || chr(n::integer) || substr(output, i::integer + 1);
            i := i + 1;
        END LOOP;
        labels[label] := coalesce(output, labels[label]);
    END LOOP;

    domain := array_to_string(labels, '.');
    -- Lower case of upper case is case folding, which turns "ß" into "ss".
    domain := lower(upper(normalize(domain, NFKC) COLLATE "und-x-icu") COLLATE "und-x-icu");
    domain := normalize(domain, NFKC);
    local := normalize(lower(normalize(local, NFKC) COLLATE "und-x-icu"), NFKC);
    RETURN replace(local || '@' || domain, 'ς', 'σ');
END
$$;

DO $$
DECLARE
    collisions text;
BEGIN
    SELECT string_agg(spellings, E'\n' ORDER BY first_id)
    INTO collisions
    FROM (
        SELECT min(id) AS first_id,
               string_agg(format('id %s: %s', id, email), ', ' ORDER BY id) AS spellings
        FROM users
        GROUP BY canonical_email(email)
        HAVING count(*) > 1
    ) AS collision;
    IF collisions IS NOT NULL THEN
        RAISE EXCEPTION 'some accounts have emails that are spellings of one address'
            USING ERRCODE = 'unique_violation',
                  DETAIL = collisions,
                  HINT = 'Delete or rename all but one account of each line, then migrate again.';
    END IF;
END
$$;
