#include <boost/describe/class.hpp>
#include <optional>
#include <string>
#include <utility>

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
using platform::security::HashPool;
using platform::security::HashPurpose;

namespace {

// Used in place of an account in the throttle, because a guess at one code is a guess at all codes.
constexpr const char* kAnyCode = "recovery code";

// The error is the same for a code that never existed, has been used or has expired.
Error WrongCode() {
  return Error::Field(ErrorCode::kInvalidArgument, "code", "Invalid or expired code.");
}

Task<Result<Created<RecoveryCode>>> MakeRecoveryCode(App& app, const Request& request,
                                                     Subject subject) {
  ASSIGN_OR_CO_RETURN(RecoveryCode code,
                      co_await app.recovery.MakeCode(subject.caller.actor(), subject.user.id));
  Audit(request, Action::kMakeRecoveryCode, subject.caller.user.id, subject.user.id);
  co_return Created{std::move(code)};
}

Task<Result<EmptyObject>> Recover(App& app, const Request& http_request, Recovery recovery) {
  ASSIGN_OR_CO_RETURN(HashPool::Place place,
                      co_await EnterHashPool(app, http_request, HashPurpose::kLogin));
  ASSIGN_OR_CO_RETURN(const Guess guess, co_await BeginGuess(app, http_request, kAnyCode));
  ASSIGN_OR_CO_RETURN(const bool is_right,
                      co_await EndGuess(app, http_request, guess,
                                        co_await app.recovery.IsValid(recovery.code.value())));
  if (!is_right) co_return std::unexpected(WrongCode());
  ASSIGN_OR_CO_RETURN(
      const std::string hash,
      co_await HashNewPassword(app, http_request, place, recovery.new_password.value()));
  // The code may have been used while the password was hashed.
  ASSIGN_OR_CO_RETURN(const auto user, co_await app.recovery.Recover(recovery.code.value(), hash));
  if (!user) co_return std::unexpected(WrongCode());
  Audit(http_request, Action::kRecoverAccount, user, user);
  co_return EmptyObject();
}

}  // namespace

void AddRecoveryRoutes(Routes& routes) {
  auto recovery = routes.Group("/api/v1", {.name = "recovery", .description = "Lost passwords"});
  recovery.Add(
      Method::kPost, "/users/{user_id}/recovery/", AdminOfUser(), MakeRecoveryCode,
      {.id = "makeRecoveryCode",
       .summary = "Make a recovery code",
       .description = "A code to hand to the user, who sets a new password with it within an "
                      "hour. Of several codes only the latest is valid, and none after a "
                      "change of the password. For administrators."});
  recovery.Add(Method::kPost, "/auth/recover/", Anyone(), Recover,
               {.id = "recoverAccount",
                .summary = "Set a new password with a recovery code",
                .description = "Ends all sessions of the account. A code works once.",
                .errors = {ErrorCode::kInvalidArgument, ErrorCode::kTooManyRequests}});
}

}  // namespace customers
