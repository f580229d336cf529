-- Who loses a right while his request waits must not use it: the statement that makes a change checks the right again.

-- Checks that `actor`, the user of the request's token, may change the account `target` now, and
-- returns `target`. The token must be valid, and its user must be an administrator or, unless
-- `needs_admin` is set, the owner of the account. Otherwise it violates ck__users__actor_has_right.
-- The token has the session `actor_session`, or none (0) and the version `actor_version`. `actor` is
-- 0 if the change needs no right, as that of an operator's command.
--
-- `would_leave_no_admin` tells whether the account is the last administrator's. It is found only if
-- `removes_admin` is set, because all administrators are locked for it.
--
-- The accounts are locked in the order of their ids, until the end of the calling statement: a change
-- of these rights comes before it or after it. The calling statement sees the accounts as they were
-- before this lock, so it must use what this function returns.
CREATE FUNCTION authorize(
    actor integer, actor_version integer, actor_session integer, target integer,
    needs_admin boolean, removes_admin boolean,
    OUT account integer, OUT would_leave_no_admin boolean
) LANGUAGE plpgsql AS $$
DECLARE
    locks_admins boolean := removes_admin AND (SELECT is_admin FROM users WHERE id = target);
BEGIN
    IF locks_admins THEN
        PERFORM FROM users WHERE is_admin OR id IN (actor, target) ORDER BY id FOR NO KEY UPDATE;
    ELSE
        PERFORM FROM users WHERE id IN (actor, target) ORDER BY id FOR NO KEY UPDATE;
    END IF;

    IF actor <> 0 THEN
        PERFORM FROM sessions WHERE user_id = actor AND id = actor_session FOR KEY SHARE;
        PERFORM FROM users
        WHERE id = actor
            AND (is_admin OR NOT needs_admin AND id = target)
            AND CASE actor_session WHEN 0 THEN token_version = actor_version ELSE FOUND END;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the token or the right to make this change is gone'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'ck__users__actor_has_right';
        END IF;
    END IF;

    account := target;
    -- An account that has become an administrator's since the first look counts as the last.
    would_leave_no_admin := removes_admin
        AND EXISTS (SELECT FROM users WHERE id = target AND is_admin)
        AND NOT (locks_admins AND EXISTS (SELECT FROM users WHERE id <> target AND is_admin));
END
$$;
