#include "services/customers/src/store/session_store.h"

namespace customers {
namespace {

using platform::Result;
using platform::postgres::Lane;
using platform::postgres::Logged;
using platform::postgres::OrNotFound;
using platform::postgres::Statement;
using platform::postgres::Timestamp;

constexpr Statement<SignedIn, UserId, std::int32_t, std::string, Timestamp, std::string,
                    std::string>
    kBegin{"begin_session", Lane::kWrite, R"(
SELECT (account).id, (account).created, (account).email, (account).first_name,
    (account).last_name, (account).is_admin, (account).token_version, session_id
FROM begin_session($1, $2, $3, $4, $5, $6)
WHERE (account).id IS NOT NULL)"};

constexpr Statement<Session, UserId, SessionId> kList{"list_sessions", Lane::kKeyRead, R"(
SELECT id, created, expires, client, user_agent, id = $2
FROM sessions
WHERE user_id = $1 AND expires > clock_timestamp()
ORDER BY id DESC)"};

constexpr Statement<void, UserId, SessionId> kEnd{"end_session", Lane::kWrite, R"(
DELETE FROM sessions
WHERE user_id = $1 AND id = $2 AND expires > clock_timestamp())"};

// The account is locked before its sessions, in the same order as at a login.
constexpr Statement<void, UserId, SessionId, bool> kEndOthers{"end_other_sessions", Lane::kWrite,
                                                              R"(
WITH account AS (
    UPDATE users
    SET token_version = CASE WHEN $3 THEN token_version ELSE token_version + 1 END
    WHERE id = $1
    RETURNING id
)
DELETE FROM sessions
USING account
WHERE sessions.user_id = account.id AND sessions.id <> $2)"};

constexpr Statement<void, UserId> kRevokeTokensWithoutSession{"revoke_tokens_without_session",
                                                              Lane::kWrite, R"(
UPDATE users
SET token_version = token_version + 1
WHERE id = $1)"};

constexpr Statement<void, std::int32_t> kSweep{"sweep_sessions", Lane::kWrite, R"(
WITH expired AS MATERIALIZED (
    SELECT user_id, id
    FROM sessions
    WHERE expires < now() AND (SELECT pg_try_advisory_xact_lock(hashtext('sweep_sessions')))
    ORDER BY expires
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
DELETE FROM sessions
USING expired
WHERE sessions.user_id = expired.user_id AND sessions.id = expired.id)"};

constexpr std::int32_t kSweepBatch = 500;

SessionId OrNone(std::optional<SessionId> session) { return session.value_or(SessionId()); }

}  // namespace

SessionStore::Reply<std::optional<SignedIn>> SessionStore::Begin(const NewSession& session) {
  co_return Logged(co_await client_.QueryOne(
      kBegin, session.checked.id, session.checked.token_version, session.checked.password_hash,
      session.expires, session.client, session.user_agent));
}

SessionStore::Reply<std::vector<Session>> SessionStore::List(UserId user,
                                                             std::optional<SessionId> current) {
  co_return Logged(co_await client_.Query(kList, user, OrNone(current)));
}

SessionStore::Reply<void> SessionStore::End(UserId user, SessionId session) {
  co_return OrNotFound(co_await client_.Execute(kEnd, user, session));
}

SessionStore::Reply<void> SessionStore::EndOthers(UserId user, std::optional<SessionId> kept,
                                                  bool keep_tokens_without_session) {
  CO_RETURN_IF_ERROR(Logged(
      co_await client_.Execute(kEndOthers, user, OrNone(kept), keep_tokens_without_session)));
  co_return Result<void>();
}

SessionStore::Reply<void> SessionStore::RevokeTokensWithoutSession(UserId user) {
  co_return OrNotFound(co_await client_.Execute(kRevokeTokensWithoutSession, user));
}

SessionStore::Reply<bool> SessionStore::Sweep() {
  ASSIGN_OR_CO_RETURN(const std::size_t removed,
                      Logged(co_await client_.Execute(kSweep, kSweepBatch)));
  co_return removed == kSweepBatch;
}

}  // namespace customers
