#include "services/customers/src/api/access.h"

#include <utility>

#include "platform/security/authorization.h"

namespace customers {
namespace {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using platform::http::AccessDescription;
using platform::http::Request;
using platform::security::AuthorizationError;

// Authenticates the caller and finds the account; the access rule checks the permission.
Task<Result<Subject>> FindSubject(App& app, const Request& request, UserId id) {
  ASSIGN_OR_CO_RETURN(Caller caller, co_await Authenticate(app, request));
  if (caller.user.id == id) co_return Subject{.caller = caller, .user = caller.user};
  ASSIGN_OR_CO_RETURN(User user, co_await app.users.Find(id));
  co_return Subject{.caller = std::move(caller), .user = std::move(user)};
}

}  // namespace

Task<Result<Caller>> Authenticate(App& app, const Request& request) {
  const auto header = request.Header("Authorization");
  if (!header) {
    co_return std::unexpected(
        Error{.code = ErrorCode::kUnauthenticated, .reason = "Missing authorization token"});
  }
  const auto token = platform::security::ParseAuthorization(*header);
  if (!token) {
    co_return std::unexpected(Error::PermissionDenied(
        token.error() == AuthorizationError::kWrongScheme ? "Invalid token scheme"
                                                          : "Invalid authorization header"));
  }
  ASSIGN_OR_CO_RETURN(Caller caller, co_await app.authenticator.Authenticate(*token));
  request.NoteUser(caller.user.id.value());
  co_return caller;
}

AccessDescription SignedInUser::Describe() { return Admin::Describe(); }

Task<Result<Caller>> SignedInUser::operator()(App& app, const Request& request) const {
  return Authenticate(app, request);
}

AccessDescription Admin::Describe() {
  return {.needs_token = true,
          .errors = {ErrorCode::kUnauthenticated, ErrorCode::kPermissionDenied}};
}

Task<Result<Admin::Grant>> Admin::operator()(App& app, const Request& request) const {
  ASSIGN_OR_CO_RETURN(const Caller caller, co_await Authenticate(app, request));
  if (!caller.user.is_admin) co_return std::unexpected(Error::PermissionDenied());
  co_return Grant();
}

AccessDescription SelfOrAdmin::Describe() {
  return {
      .needs_token = true,
      .errors = {ErrorCode::kUnauthenticated, ErrorCode::kPermissionDenied, ErrorCode::kNotFound}};
}

Task<Result<Subject>> SelfOrAdmin::operator()(App& app, const Request& request, UserId id) const {
  ASSIGN_OR_CO_RETURN(Subject subject, co_await FindSubject(app, request, id));
  if (!subject.IsSelf() && !subject.caller.user.is_admin) {
    co_return std::unexpected(Error::PermissionDenied());
  }
  co_return subject;
}

Task<Result<Subject>> AdminOfUser::operator()(App& app, const Request& request, UserId id) const {
  ASSIGN_OR_CO_RETURN(Subject subject, co_await FindSubject(app, request, id));
  if (!subject.caller.user.is_admin) {
    co_return std::unexpected(Error::PermissionDenied());
  }
  co_return subject;
}

Task<Result<Subject>> ProfileReader::operator()(App& app, const Request& request, UserId id) const {
  if (app.config.legacy_api) return FindSubject(app, request, id);
  return SelfOrAdmin()(app, request, id);
}

}  // namespace customers
