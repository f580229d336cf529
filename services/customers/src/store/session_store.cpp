#include "services/customers/src/store/session_store.h"

namespace customers {
namespace {

using platform::Error;
using platform::Result;
using platform::postgres::KeyedStatement;
using platform::postgres::Lane;
using platform::postgres::Logged;
using platform::postgres::Statement;
using platform::postgres::StatementText;
using platform::postgres::Timestamp;

constexpr Statement<SignedIn, UserId, std::int32_t, std::string, Timestamp, std::string,
                    std::string>
    kBegin{"begin_session", Lane::kWrite, R"(
SELECT (account).id, (account).created, (account).email, (account).first_name,
    (account).last_name, (account).is_admin, (account).token_version, session_id
FROM begin_session($1, $2, $3, $4, $5, $6)
WHERE (account).id IS NOT NULL)"};

constexpr KeyedStatement<Session, UserId, SessionId> kList{"list_sessions", R"(
SELECT reader.user_id, reader.current, id, created, expires, client, user_agent, id = reader.current
FROM unnest($1, $2) AS reader (user_id, current)
JOIN sessions ON sessions.user_id = reader.user_id
WHERE expires > clock_timestamp()
ORDER BY reader.user_id, reader.current, id DESC)"};

constexpr Statement<void, UserId, SessionId, UserId, std::int32_t, SessionId> kEnd{"end_session",
                                                                                   Lane::kWrite, R"(
DELETE FROM sessions
WHERE user_id = (SELECT account FROM authorize($3, $4, $5, $1, false, false))
    AND id = $2
    AND expires > clock_timestamp())"};

// The account is locked before its sessions, in the same order as at a login.
constexpr Statement<void, UserId, SessionId, bool, UserId, std::int32_t, SessionId> kEndOthers{
    "end_other_sessions", Lane::kWrite, R"(
WITH account AS (
    UPDATE users
    SET token_version = CASE WHEN $3 THEN token_version ELSE token_version + 1 END
    WHERE id = (SELECT account FROM authorize($4, $5, $6, $1, false, false))
    RETURNING id
)
DELETE FROM sessions
USING account
WHERE sessions.user_id = account.id AND sessions.id <> $2)"};

constexpr Statement<void, UserId, SessionId> kLogOut{"log_out", Lane::kWrite, R"(
DELETE FROM sessions
WHERE user_id = $1 AND id = $2)"};

constexpr Statement<void, UserId, std::int32_t> kRevokeTokensWithoutSession{
    "revoke_tokens_without_session", Lane::kWrite, R"(
UPDATE users
SET token_version = token_version + 1
WHERE id = $1 AND token_version = $2)"};

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

SessionStore::Reply<void> SessionStore::End(const Actor& actor, UserId user, SessionId session) {
  ASSIGN_OR_CO_RETURN(const std::size_t ended,
                      Authorized(co_await client_.Execute(kEnd, user, session, actor.id,
                                                          actor.token_version, actor.session)));
  if (ended == 0) co_return std::unexpected(Error::NotFound());
  co_return Result<void>();
}

SessionStore::Reply<void> SessionStore::EndOthers(const Actor& actor, UserId user,
                                                  std::optional<SessionId> kept,
                                                  bool keep_tokens_without_session) {
  CO_RETURN_IF_ERROR(Authorized(co_await client_.Execute(kEndOthers, user, OrNone(kept),
                                                         keep_tokens_without_session, actor.id,
                                                         actor.token_version, actor.session)));
  co_return Result<void>();
}

SessionStore::Reply<void> SessionStore::LogOut(const Actor& actor) {
  CO_RETURN_IF_ERROR(Logged(
      actor.session == SessionId()
          ? co_await client_.Execute(kRevokeTokensWithoutSession, actor.id, actor.token_version)
          : co_await client_.Execute(kLogOut, actor.id, actor.session)));
  co_return Result<void>();
}

SessionStore::Reply<bool> SessionStore::Sweep() {
  ASSIGN_OR_CO_RETURN(const std::size_t removed,
                      Logged(co_await client_.Execute(kSweep, kSweepBatch)));
  co_return removed == kSweepBatch;
}

std::vector<StatementText> SessionStore::Statements() {
  return TextsOf(kBegin, kList, kEnd, kEndOthers, kLogOut, kRevokeTokensWithoutSession, kSweep);
}

}  // namespace customers
