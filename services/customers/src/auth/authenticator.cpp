#include "services/customers/src/auth/authenticator.h"

#include <chrono>
#include <utility>

namespace customers {

using platform::Error;
using platform::ErrorCode;

platform::Task<platform::Result<User>> Authenticator::Authenticate(std::string_view token) {
  const auto claims = tokens_.Verify(token, std::chrono::system_clock::now());
  if (!claims) {
    co_return std::unexpected(Error{.code = ErrorCode::kUnauthenticated,
                                    .reason = "Invalid authorization token, " + claims.error()});
  }
  auto user = co_await users_.FindSignedIn(UserId::FromPostgres(claims->id), claims->version);
  if (!user) co_return std::unexpected(std::move(user).error());
  if (!*user) co_return std::unexpected(Error::PermissionDenied("Token is revoked"));
  co_return **std::move(user);
}

}  // namespace customers
