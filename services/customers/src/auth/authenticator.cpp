#include "services/customers/src/auth/authenticator.h"

#include <algorithm>
#include <chrono>
#include <ranges>
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

// Returns whether a token of the account is still valid. A token with a session needs the session;
// one without needs the account's present version.
bool Counts(const VerifiedToken& token, const Account& account) {
  if (token.session == 0) return token.version == account.token_version;
  return std::ranges::find(account.sessions, token.session) != account.sessions.end();
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
  // Verify the tokens themselves.
  std::vector<Result<VerifiedToken>> tokens;
  std::vector<std::int32_t> ids;
  tokens.reserve(authorizations.size());
  ids.reserve(authorizations.size());
  for (const std::string_view authorization : authorizations) {
    tokens.push_back(ReadAuthorization(authorization));
    if (tokens.back()) ids.push_back(tokens.back()->user_id);
  }

  // Find their users, by id.
  Result<std::vector<Account>> accounts;
  if (!ids.empty()) accounts = co_await users_.FindAccounts(ids);
  const auto id_of = [](const Account& account) { return account.id.value(); };
  if (accounts) std::ranges::sort(*accounts, {}, id_of);

  const auto judge = [&](const Result<VerifiedToken>& token) -> Result<Identity> {
    if (!token) return std::unexpected(token.error());
    if (!accounts) return std::unexpected(accounts.error());
    const auto account = std::ranges::lower_bound(*accounts, token->user_id, {}, id_of);
    if (account == accounts->end() || account->id.value() != token->user_id ||
        !Counts(*token, *account)) {
      return std::unexpected(Revoked());
    }
    return Identity{
        .id = account->id.value(), .email = account->email.value(), .is_admin = account->is_admin};
  };
  std::vector<Result<Identity>> verdicts;
  verdicts.reserve(tokens.size());
  std::ranges::transform(tokens, std::back_inserter(verdicts), judge);
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
