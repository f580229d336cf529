#include "services/customers/src/store/user_store.h"

#include <utility>

namespace customers {
namespace {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using platform::postgres::KeyedStatement;
using platform::postgres::Lane;
using platform::postgres::Logged;
using platform::postgres::OrNotFound;
using platform::postgres::Planning;
using platform::postgres::QueryError;
using platform::postgres::Statement;
using platform::postgres::StatementText;
using platform::schema::ListQuery;
using platform::schema::Page;

constexpr KeyedStatement<User, UserId> kFind{"find_user", R"(
SELECT id, id, created, email, first_name, last_name, is_admin
FROM users
WHERE id = ANY ($1))"};

constexpr KeyedStatement<User, UserId, std::int32_t, std::int32_t> kFindSignedIn{
    "find_signed_in_user", R"(
SELECT token.user_id, token.version, token.session, users.id, users.created, email, first_name,
       last_name, is_admin
FROM unnest($1, $2, $3) AS token (user_id, version, session)
JOIN users ON users.id = token.user_id
LEFT JOIN sessions ON sessions.user_id = token.user_id AND sessions.id = token.session
WHERE CASE token.session
    WHEN 0 THEN users.token_version = token.version
    ELSE sessions.id IS NOT NULL
END)"};

constexpr Statement<Credentials, std::string> kFindCredentialsByEmail{"find_credentials_by_email",
                                                                      Lane::kKeyRead, R"(
SELECT id, password, token_version
FROM users
WHERE canonical_email(email) = canonical_email($1))"};

constexpr KeyedStatement<Credentials, UserId> kFindCredentials{"find_credentials", R"(
SELECT id, id, password, token_version
FROM users
WHERE id = ANY ($1))"};

constexpr Statement<bool> kHasReferenceHashes{
    "has_reference_hashes", Lane::kKeyRead,
    "SELECT EXISTS (SELECT FROM users WHERE password LIKE '$5$%')", Planning::kEachCall};

constexpr Statement<User, std::int32_t, std::int32_t> kList{"list_users", Lane::kSearch, R"(
SELECT id, created, email, first_name, last_name, is_admin
FROM users
WHERE id > $1
ORDER BY id
LIMIT $2 + 1)"};

constexpr Statement<User, std::string, std::int32_t, std::int32_t> kSearch{"search_users",
                                                                           Lane::kSearch, R"(
SELECT id, created, email, first_name, last_name, is_admin
FROM users
WHERE (email ILIKE $1 OR first_name ILIKE $1 OR last_name ILIKE $1) AND id > $2
ORDER BY id
LIMIT $3 + 1)",
                                                                           Planning::kEachCall};

// The account is created after the check of the right, because it uses its (empty) result.
constexpr Statement<User, Email, std::optional<PersonName>, std::optional<PersonName>, std::string,
                    bool, UserId, std::int32_t, SessionId>
    kCreate{"create_user", Lane::kWrite, R"(
SELECT created.id, created.created, created.email, created.first_name, created.last_name,
    created.is_admin
FROM authorize($6, $7, $8, NULL, true, false) AS authorized
CROSS JOIN LATERAL create_user(
    $1, coalesce($2, ''), coalesce($3, ''), $4, $5 AND authorized.account IS NULL
) AS created)"};

constexpr Statement<User, UserId, std::optional<Email>, std::optional<PersonName>,
                    std::optional<PersonName>, std::optional<bool>, UserId, std::int32_t, SessionId>
    kUpdate{"update_user", Lane::kWrite, R"(
WITH authorized AS MATERIALIZED (
    SELECT account, would_leave_no_admin
    FROM authorize($6, $7, $8, $1, $5 IS NOT NULL, $5 IS FALSE)
)
UPDATE users
SET email = coalesce($2, email),
    first_name = coalesce($3, first_name),
    last_name = coalesce($4, last_name),
    is_admin = coalesce($5, is_admin)
WHERE id = (SELECT account FROM authorized)
    AND NOT EXISTS (
        SELECT FROM users WHERE canonical_email(email) = canonical_email($2) AND id <> $1
    )
    AND NOT (SELECT would_leave_no_admin FROM authorized)
RETURNING id, created, email, first_name, last_name, is_admin)"};

constexpr Statement<void, UserId, std::string, UserId, std::int32_t, SessionId> kSetPassword{
    "set_password", Lane::kWrite, R"(
UPDATE users
SET password = $2, token_version = token_version + 1
WHERE id = (SELECT account FROM authorize($3, $4, $5, $1, false, false)))"};

// Who knows the current password needs no other right. Ending sessions increments the version too,
// and renewing a hash replaces the password, so only both together show that the password has been
// changed.
constexpr Statement<void, UserId, std::int32_t, std::string, std::string> kChangePassword{
    "change_password", Lane::kWrite, R"(
UPDATE users
SET password = $4, token_version = token_version + 1
WHERE id = $1 AND (token_version = $2 OR password = $3))"};

constexpr Statement<void, UserId, std::string, std::string> kReplaceHash{"replace_password_hash",
                                                                         Lane::kWrite, R"(
UPDATE users
SET password = $3
WHERE id = $1 AND password = $2)"};

// A trigger records the deletion (V011__record_deletions.up.sql).
constexpr Statement<void, UserId, UserId, std::int32_t, SessionId> kDelete{"delete_user",
                                                                           Lane::kWrite, R"(
WITH authorized AS MATERIALIZED (
    SELECT account, would_leave_no_admin FROM authorize($2, $3, $4, $1, false, true)
)
DELETE FROM users
WHERE id = (SELECT account FROM authorized)
    AND NOT (SELECT would_leave_no_admin FROM authorized))"};

// Finds the reason why an account was not updated. Without a row the account does not exist. True
// means that another account has the email. If it is false, a demotion was refused because it would
// demote the last administrator.
constexpr Statement<bool, UserId, std::optional<Email>> kIsEmailTaken{"is_email_taken",
                                                                      Lane::kKeyRead, R"(
SELECT EXISTS (
    SELECT FROM users WHERE canonical_email(email) = canonical_email($2) AND id <> $1
)
FROM users
WHERE id = $1)"};

Error EmailTaken() {
  return Error::Field(ErrorCode::kInvalidArgument, "email", "User with this email already exists.");
}

Error LastAdministrator() {
  return {.code = ErrorCode::kConflict,
          .reason = "The last administrator can be neither demoted nor deleted"};
}

// Returns the error of a statement that sets an email. The version before may use the email at the
// same moment, and then another constraint than ours is violated.
Error WriteError(const QueryError& error) {
  if (error.Violates("uq__users__email") || error.Violates("uq__users__lower_email") ||
      error.Violates("uq__users__canonical_email")) {
    return EmailTaken();
  }
  return AuthorizedError(error);
}

}  // namespace

UserStore::Reply<User> UserStore::Find(UserId id) {
  co_return OrNotFound(co_await client_.QueryOne(kFind, id));
}

UserStore::Reply<std::optional<User>> UserStore::FindSignedIn(UserId id, std::int32_t token_version,
                                                              std::int32_t session) {
  co_return Logged(co_await client_.QueryOne(kFindSignedIn, id, token_version, session));
}

Task<std::vector<Result<std::optional<User>>>> UserStore::FindSignedIn(
    std::vector<TokenSubject> tokens) {
  auto found = co_await client_.QueryOneOfEach(kFindSignedIn, tokens);
  std::vector<Result<std::optional<User>>> users;
  users.reserve(found.size());
  for (auto& user : found) users.push_back(Logged(std::move(user)));
  co_return users;
}

UserStore::Reply<std::optional<Credentials>> UserStore::FindCredentials(UserId id) {
  co_return Logged(co_await client_.QueryOne(kFindCredentials, id));
}

UserStore::Reply<std::optional<Credentials>> UserStore::FindCredentialsByEmail(
    const std::string& email) {
  co_return Logged(co_await client_.QueryOne(kFindCredentialsByEmail, email));
}

UserStore::Reply<bool> UserStore::HasReferenceHashes() {
  ASSIGN_OR_CO_RETURN(const auto has, Logged(co_await client_.QueryOne(kHasReferenceHashes)));
  co_return *has;
}

UserStore::Reply<Page<User>> UserStore::List(ListQuery query) {
  auto found = query.IsSearch() ? client_.Query(kSearch, query.search->ContainsPattern(),
                                                query.After(), query.Limit())
                                : client_.Query(kList, query.After(), query.Limit());
  ASSIGN_OR_CO_RETURN(auto rows, Logged(co_await std::move(found)));
  co_return platform::schema::MakePage(std::move(rows), query.Limit());
}

UserStore::Reply<User> UserStore::Create(const Actor& actor, const NewUser& user,
                                         const std::string& password_hash) {
  auto created = co_await client_.QueryOne(kCreate, user.email, user.first_name, user.last_name,
                                           password_hash, user.is_admin.value_or(false), actor.id,
                                           actor.token_version, actor.session);
  if (!created) co_return std::unexpected(WriteError(created.error()));
  if (!*created) co_return std::unexpected(EmailTaken());
  co_return **std::move(created);
}

UserStore::Reply<User> UserStore::Update(const Actor& actor, UserId id, const UserChange& change) {
  auto updated =
      co_await client_.QueryOne(kUpdate, id, change.email, change.first_name, change.last_name,
                                change.is_admin, actor.id, actor.token_version, actor.session);
  if (!updated) co_return std::unexpected(WriteError(updated.error()));
  if (*updated) co_return **std::move(updated);
  ASSIGN_OR_CO_RETURN(const bool is_email_taken,
                      OrNotFound(co_await client_.QueryOne(kIsEmailTaken, id, change.email)));
  const bool is_demotion = change.is_admin == false;
  co_return std::unexpected(is_email_taken || !is_demotion ? EmailTaken() : LastAdministrator());
}

UserStore::Reply<void> UserStore::SetPassword(const Actor& actor, UserId id,
                                              const std::string& new_hash) {
  ASSIGN_OR_CO_RETURN(const std::size_t changed,
                      Authorized(co_await client_.Execute(kSetPassword, id, new_hash, actor.id,
                                                          actor.token_version, actor.session)));
  if (changed == 0) co_return std::unexpected(Error::NotFound());
  co_return Result<void>();
}

UserStore::Reply<bool> UserStore::ChangePassword(const Credentials& checked,
                                                 const std::string& new_hash) {
  ASSIGN_OR_CO_RETURN(
      const std::size_t changed,
      Logged(co_await client_.Execute(kChangePassword, checked.id, checked.token_version,
                                      checked.password_hash, new_hash)));
  if (changed == 0) CO_RETURN_IF_ERROR(co_await Find(checked.id));
  co_return changed > 0;
}

UserStore::Reply<void> UserStore::ReplaceHash(UserId id, const std::string& old_hash,
                                              const std::string& new_hash) {
  CO_RETURN_IF_ERROR(Logged(co_await client_.Execute(kReplaceHash, id, old_hash, new_hash)));
  co_return Result<void>();
}

UserStore::Reply<void> UserStore::Delete(const Actor& actor, UserId id) {
  ASSIGN_OR_CO_RETURN(const std::size_t deleted,
                      Authorized(co_await client_.Execute(kDelete, id, actor.id,
                                                          actor.token_version, actor.session)));
  if (deleted > 0) co_return Result<void>();
  CO_RETURN_IF_ERROR(co_await Find(id));
  co_return std::unexpected(LastAdministrator());
}

std::vector<StatementText> UserStore::Statements() {
  return TextsOf(kFind, kFindSignedIn, kFindCredentialsByEmail, kFindCredentials,
                 kHasReferenceHashes, kList, kSearch, kCreate, kUpdate, kSetPassword,
                 kChangePassword, kReplaceHash, kDelete, kIsEmailTaken);
}

}  // namespace customers
