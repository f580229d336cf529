#include <boost/describe/class.hpp>
#include <optional>
#include <string>
#include <utility>

#include "platform/schema/paging.h"
#include "services/customers/src/api/access.h"
#include "services/customers/src/api/audit.h"
#include "services/customers/src/api/guess.h"
#include "services/customers/src/api/inputs.h"
#include "services/customers/src/api/routes.h"

namespace customers {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using platform::http::Anyone;
using platform::http::Created;
using platform::http::Method;
using platform::http::Request;
using platform::http::Unparsed;
using platform::schema::ListQuery;
using platform::schema::Page;
using platform::security::Verification;

struct PasswordChanged {};
BOOST_DESCRIBE_STRUCT(PasswordChanged, (), ())

namespace {

Task<Result<Created<User>>> CreateUser(App& app, const Request& request, NewUser user) {
  // Creating an admin requires an admin's token. Otherwise a token is ignored.
  std::optional<UserId> admin;
  if (user.is_admin.value_or(false)) {
    if (!request.Header("Authorization")) {
      co_return std::unexpected(Error::PermissionDenied());
    }
    ASSIGN_OR_CO_RETURN(const Caller caller, co_await Authenticate(app, request));
    if (!caller.user.is_admin) co_return std::unexpected(Error::PermissionDenied());
    admin = caller.user.id;
  }
  ASSIGN_OR_CO_RETURN(const std::string hash, co_await app.hashes.Hash(user.password.value()));
  ASSIGN_OR_CO_RETURN(User created, co_await app.users.Create(user, hash));
  Audit(request, Action::kCreateUser, admin.value_or(created.id), created.id);
  if (admin) Audit(request, Action::kGrantAdmin, admin, created.id);
  co_return Created{std::move(created)};
}

Task<Result<Page<User>>> ListUsers(App& app, ListQuery query) {
  return app.users.List(std::move(query));
}

Task<Result<User>> GetUser(Subject subject) { co_return std::move(subject.user); }

void AuditUpdate(const Request& request, const Subject& subject, const UserChange& change) {
  const auto audit = [&](Action action) {
    Audit(request, action, subject.caller.user.id, subject.user.id);
  };
  if (change.is_admin) audit(*change.is_admin ? Action::kGrantAdmin : Action::kRevokeAdmin);
  if (change.email) audit(Action::kChangeEmail);
  if (change.first_name || change.last_name) audit(Action::kChangeNames);
}

Task<Result<User>> UpdateUser(App& app, const Request& request, Subject subject,
                              UserChange change) {
  const bool changes_rights = change.is_admin && *change.is_admin != subject.user.is_admin;
  if (changes_rights && !subject.caller.user.is_admin) {
    co_return std::unexpected(Error::PermissionDenied());
  }
  // The present values are not written back, so that they cannot undo a simultaneous change.
  if (!changes_rights) change.is_admin.reset();
  if (change.email == subject.user.email) change.email.reset();
  ASSIGN_OR_CO_RETURN(User updated, co_await app.users.Update(subject.user.id, change));
  AuditUpdate(request, subject, change);
  co_return updated;
}

Task<Result<void>> DeleteUser(App& app, const Request& request, Subject subject) {
  CO_RETURN_IF_ERROR(co_await app.users.Delete(subject.user.id));
  Audit(request, Action::kDeleteUser, subject.caller.user.id, subject.user.id);
  co_return Result<void>();
}

Error WrongPassword() {
  return Error::Field(ErrorCode::kInvalidArgument, "current_password", "Wrong password.");
}

// Reports all bad fields at once, a missing current password included.
Result<PasswordChange> ParsePasswordChange(std::string_view body, bool needs_current) {
  using platform::schema::Source;
  if (!needs_current) return platform::schema::Parse<PasswordChange>(body, Source::kBody);
  const auto own = platform::schema::Parse<OwnPasswordChange>(body, Source::kBody);
  if (!own) return std::unexpected(own.error());
  return own->AsChange();
}

Task<Result<PasswordChanged>> ChangePassword(App& app, const Request& request, Subject subject,
                                             Unparsed<PasswordChange> unparsed) {
  const UserId id = subject.user.id;
  const bool needs_current = subject.IsSelf() && !app.config.legacy_api;
  ASSIGN_OR_CO_RETURN(const PasswordChange change,
                      ParsePasswordChange(unparsed.body, needs_current));
  std::optional<std::int32_t> checked_version;
  if (needs_current) {
    ASSIGN_OR_CO_RETURN(const auto credentials, co_await app.users.FindCredentials(id));
    if (!credentials) co_return std::unexpected(Error::NotFound());
    ASSIGN_OR_CO_RETURN(
        const Verification verified,
        co_await VerifyGuess(app, request, std::to_string(id.value()), credentials->password_hash,
                             change.current_password->value()));
    if (!verified.matches) co_return std::unexpected(WrongPassword());
    checked_version = credentials->token_version;
  }
  ASSIGN_OR_CO_RETURN(const std::string hash,
                      co_await app.hashes.Hash(change.new_password.value()));
  ASSIGN_OR_CO_RETURN(const bool is_changed,
                      co_await app.users.ChangePassword(id, checked_version, hash));
  // Another request has changed the password first, so the one checked above is no longer current.
  if (!is_changed) co_return std::unexpected(WrongPassword());
  Audit(request, Action::kChangePassword, subject.caller.user.id, id);
  co_return PasswordChanged();
}

}  // namespace

void AddUserRoutes(Routes& routes) {
  auto users = routes.Group("/api/v1/users", {.name = "users", .description = "Accounts"});
  users.Add(Method::kPost, "/create/", Anyone(), CreateUser,
            {.id = "createUser",
             .summary = "Register",
             .description = "Creates an account. Creating an administrator requires an "
                            "administrator's token; otherwise a token is ignored.",
             .errors = {ErrorCode::kInvalidArgument, ErrorCode::kUnauthenticated,
                        ErrorCode::kPermissionDenied}});
  users.Add(Method::kGet, "/list/", Admin(), ListUsers,
            {.id = "listUsers",
             .summary = "List users",
             .description = "Accounts in the order of their ids, page by page; `search` matches "
                            "email and names. For administrators only."});
  users.Add(
      Method::kGet, "/{user_id}/", ProfileReader(), GetUser,
      {.id = "getUser",
       .summary = "Show a user",
       .description = "Returns the caller's own account; administrators may read any account."});
  users.Add(Method::kPatch, "/{user_id}/", SelfOrAdmin(), UpdateUser,
            {.id = "updateUser",
             .summary = "Change a user",
             .description = "Fields that the body does not name stay unchanged. Only an "
                            "administrator may change `is_admin`; the last one keeps it.",
             .errors = {ErrorCode::kInvalidArgument, ErrorCode::kConflict}});
  users.Add(Method::kDelete, "/{user_id}/", SelfOrAdmin(), DeleteUser,
            {.id = "deleteUser",
             .summary = "Delete a user",
             .description =
                 "Deletes the account permanently. All its tokens are refused from then on. The "
                 "last administrator cannot be deleted.",
             .errors = {ErrorCode::kConflict}});
  users.Add(Method::kPatch, "/{user_id}/change-password/", SelfOrAdmin(), ChangePassword,
            {.id = "changePassword",
             .summary = "Change a password",
             .description = "Changing one's own password requires `current_password`. All earlier "
                            "tokens of the account are refused from then on.",
             .errors = {ErrorCode::kInvalidArgument, ErrorCode::kTooManyRequests}});
}

}  // namespace customers
