#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "platform/schema/paging.h"
#include "platform/schema/parse.h"
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
using platform::http::EmptyObject;
using platform::http::Method;
using platform::http::Request;
using platform::http::Unparsed;
using platform::schema::ListQuery;
using platform::schema::Page;
using platform::security::HashPool;
using platform::security::HashPurpose;
using platform::security::Verification;

namespace {

Task<Result<Created<User>>> CreateUser(App& app, const Request& request, NewUser user) {
  // Creating an admin requires an admin's token. Otherwise a token is ignored.
  std::optional<Actor> admin;
  if (user.is_admin.value_or(false)) {
    if (!request.Header("Authorization")) {
      co_return std::unexpected(Error::PermissionDenied());
    }
    ASSIGN_OR_CO_RETURN(const Caller caller, co_await Authenticate(app, request));
    if (!caller.user.is_admin) co_return std::unexpected(Error::PermissionDenied());
    admin = caller.actor();
  }
  ASSIGN_OR_CO_RETURN(HashPool::Place place,
                      co_await EnterHashPool(app, request, HashPurpose::kRegistration));
  ASSIGN_OR_CO_RETURN(const std::string hash,
                      co_await HashNewPassword(app, request, place, user.password.value()));
  ASSIGN_OR_CO_RETURN(User created,
                      co_await app.users.Create(admin.value_or(Actor::Nobody()), user, hash));
  Audit(request, Action::kCreateUser, admin ? admin->id : created.id, created.id);
  if (admin) Audit(request, Action::kGrantAdmin, admin->id, created.id);
  co_return Created{std::move(created)};
}

Task<Result<Page<User>>> ListUsers(App& app, ListQuery query) {
  ASSIGN_OR_CO_RETURN(Page<User> page, co_await app.users.List(std::move(query)));
  page.shows_next = !app.config.legacy_api;
  co_return page;
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

// Parses a change. The account's present email is accepted, even if it could not be registered.
Result<UserChange> ParseUserChange(std::string_view body, const User& user) {
  Result<boost::json::object> object = platform::schema::ParseJsonObject(body);
  if (!object) return std::unexpected(std::move(object).error());
  const boost::json::value* email = object->if_contains("email");
  if (email != nullptr && email->is_string() && email->get_string() == user.email.value()) {
    object->erase("email");
  }
  return platform::schema::ParseObject<UserChange>(*object, platform::schema::Source::kBody);
}

Task<Result<User>> UpdateUser(App& app, const Request& request, Subject subject,
                              Unparsed<UserChange> unparsed) {
  ASSIGN_OR_CO_RETURN(UserChange change, ParseUserChange(unparsed.body, subject.user));
  const bool changes_rights = change.is_admin && *change.is_admin != subject.user.is_admin;
  if (changes_rights && !subject.caller.user.is_admin) {
    co_return std::unexpected(Error::PermissionDenied());
  }
  // The present value is not written back, so that it cannot undo a simultaneous change.
  if (!changes_rights) change.is_admin.reset();
  ASSIGN_OR_CO_RETURN(User updated,
                      co_await app.users.Update(subject.caller.actor(), subject.user.id, change));
  AuditUpdate(request, subject, change);
  co_return updated;
}

Task<Result<void>> DeleteUser(App& app, const Request& request, Subject subject) {
  CO_RETURN_IF_ERROR(co_await app.users.Delete(subject.caller.actor(), subject.user.id));
  Audit(request, Action::kDeleteUser, subject.caller.user.id, subject.user.id);
  co_return Result<void>();
}

Error WrongPassword() {
  return Error::Field(ErrorCode::kInvalidArgument, "current_password", "Wrong password.");
}

// Reports all bad fields at once, including a missing current password.
Result<PasswordChange> ParsePasswordChange(std::string_view body, bool needs_current) {
  using platform::schema::Source;
  if (!needs_current) return platform::schema::Parse<PasswordChange>(body, Source::kBody);
  const auto own = platform::schema::Parse<OwnPasswordChange>(body, Source::kBody);
  if (!own) return std::unexpected(own.error());
  return own->AsChange();
}

Task<Result<EmptyObject>> ChangePassword(App& app, const Request& request, Subject subject,
                                         Unparsed<PasswordChange> unparsed) {
  const UserId id = subject.user.id;
  const bool needs_current = subject.IsSelf() && !app.config.legacy_api;
  ASSIGN_OR_CO_RETURN(const PasswordChange change,
                      ParsePasswordChange(unparsed.body, needs_current));
  ASSIGN_OR_CO_RETURN(
      HashPool::Place place,
      co_await EnterHashPool(app, request,
                             needs_current ? HashPurpose::kLogin : HashPurpose::kRegistration));
  std::optional<Credentials> checked;
  if (needs_current) {
    ASSIGN_OR_CO_RETURN(checked, co_await app.users.FindCredentials(id));
    if (!checked) co_return std::unexpected(Error::NotFound());
    ASSIGN_OR_CO_RETURN(
        const Verification verified,
        co_await VerifyGuess(app, request, place, std::to_string(id.value()),
                             checked->password_hash, change.current_password->value()));
    if (!verified.matches) co_return std::unexpected(WrongPassword());
  }
  ASSIGN_OR_CO_RETURN(const std::string hash,
                      co_await HashNewPassword(app, request, place, change.new_password.value()));
  if (checked) {
    ASSIGN_OR_CO_RETURN(const bool is_changed, co_await app.users.ChangePassword(*checked, hash));
    // Another request has changed the password first, so the one checked is no longer current.
    if (!is_changed) co_return std::unexpected(WrongPassword());
  } else {
    CO_RETURN_IF_ERROR(co_await app.users.SetPassword(subject.caller.actor(), id, hash));
  }
  Audit(request, Action::kChangePassword, subject.caller.user.id, id);
  co_return EmptyObject();
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
                        ErrorCode::kPermissionDenied, ErrorCode::kTooManyRequests}});
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
