#include "services/customers/src/auth/authenticator.h"

#include <chrono>
#include <cstddef>
#include <utility>

#include "platform/security/authorization.h"

namespace customers {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using platform::security::AuthorizationError;

namespace {

Error Revoked() { return Error::PermissionDenied("Token is revoked"); }

// Returns the verdict on a verified token whose user was looked up.
Result<Identity> Judge(Result<std::optional<User>> user) {
  if (!user) return std::unexpected(user.error());
  if (!*user) return std::unexpected(Revoked());
  return Identity{
      .id = (*user)->id.value(), .email = (*user)->email.value(), .is_admin = (*user)->is_admin};
}

}  // namespace

Task<Result<Caller>> Authenticator::Authenticate(std::string_view token) {
  ASSIGN_OR_CO_RETURN(const VerifiedToken verified, Verify(token));
  ASSIGN_OR_CO_RETURN(auto user, co_await users_.FindSignedIn(UserId::Unchecked(verified.user_id),
                                                              verified.version, verified.session));
  if (!user) co_return std::unexpected(Revoked());
  Caller caller{
      .user = *std::move(user), .token_version = verified.version, .session = std::nullopt};
  if (verified.session != 0) caller.session = SessionId::Unchecked(verified.session);
  co_return caller;
}

Task<std::vector<Result<Identity>>> Authenticator::Validate(
    std::vector<std::string_view> authorizations) {
  std::vector<Result<Identity>> verdicts;
  std::vector<TokenSubject> subjects;
  std::vector<std::size_t> places;  // Of their verdicts.
  verdicts.reserve(authorizations.size());
  subjects.reserve(authorizations.size());
  places.reserve(authorizations.size());
  for (const std::string_view authorization : authorizations) {
    const Result<VerifiedToken> token = ReadAuthorization(authorization);
    if (token) {
      subjects.emplace_back(UserId::Unchecked(token->user_id), token->version, token->session);
      places.push_back(verdicts.size());
      verdicts.emplace_back();
    } else {
      verdicts.emplace_back(std::unexpected(token.error()));
    }
  }
  auto users = co_await users_.FindSignedIn(std::move(subjects));
  for (std::size_t i = 0; i < users.size(); ++i) verdicts[places[i]] = Judge(std::move(users[i]));
  metrics_.CountBatch(verdicts);
  co_return verdicts;
}

Result<VerifiedToken> Authenticator::Verify(std::string_view token) {
  auto verified = tokens_.Verify(token, std::chrono::system_clock::now());
  if (!verified) {
    return std::unexpected(Error{.code = ErrorCode::kUnauthenticated,
                                 .reason = "Invalid authorization token, " + verified.error()});
  }
  return *verified;
}

Result<VerifiedToken> Authenticator::ReadAuthorization(std::string_view authorization) {
  const auto token = platform::security::ParseAuthorization(authorization);
  if (token) return Verify(*token);
  return std::unexpected(Error::PermissionDenied(token.error() == AuthorizationError::kWrongScheme
                                                     ? "Invalid token scheme"
                                                     : "Invalid JWT token"));
}

}  // namespace customers
