#include <boost/describe/class.hpp>
#include <chrono>
#include <string>
#include <utility>

#include "platform/log/log.h"
#include "services/customers/src/api/guess.h"
#include "services/customers/src/api/inputs.h"
#include "services/customers/src/api/routes.h"

namespace customers {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using platform::http::Anyone;
using platform::http::Method;
using platform::http::Request;
using platform::security::RefusalTime;
using platform::security::Verification;

struct Login {
  std::string token;  // The whole value for the Authorization header.
  User user;

  static void Describe(boost::json::object& schema) {
    boost::json::object& token = platform::schema::Property(schema, "token");
    token["description"] = "Send it unchanged in the Authorization header.";
    token["pattern"] = "^Bearer ";
    token["examples"] = boost::json::array{"Bearer eyJhbGciOiJIUzI1NiJ9.eyJpZCI6M30.c2lnbmF0dXJl"};
  }
};
BOOST_DESCRIBE_STRUCT(Login, (), (token, user))

namespace {

Error WrongCredentials() {
  return Error::Field(ErrorCode::kInvalidArgument, "non_field_errors",
                      "Unable to log in with provided credentials.");
}

// Replaces the account's hash by one of the present kind. The login succeeds even if this fails.
Task<void> Rehash(App& app, const Credentials& credentials, std::string password) {
  Result<std::string> hash = co_await app.hashes.Hash(std::move(password));
  if (hash) {
    const Result<void> replaced =
        co_await app.users.ReplaceHash(credentials.id, credentials.password_hash, *hash);
    if (replaced) co_return;
  }
  platform::log::Warning("password hash not renewed", {{"user_id", credentials.id.value()}});
}

std::string MakeToken(const App& app, const User& user, std::int32_t token_version) {
  const auto expires = std::chrono::system_clock::now() + app.config.token_lifetime;
  return "Bearer " + app.tokens.Sign({.id = user.id.value(),
                                      .email = user.email.value(),
                                      .is_admin = user.is_admin,
                                      .exp = std::chrono::system_clock::to_time_t(expires),
                                      .version = token_version});
}

Task<Result<Login>> LogIn(App& app, const Request& http_request, LoginRequest request) {
  ASSIGN_OR_CO_RETURN(const auto credentials,
                      co_await app.users.FindCredentialsByEmail(request.email));

  // An unknown email takes as long as a known one, whatever the kind of that account's hash.
  ASSIGN_OR_CO_RETURN(const bool are_kinds_mixed, co_await app.users.HasReferenceHashes());
  const std::string account =
      credentials ? std::to_string(credentials->id.value()) : request.email.value();
  const std::string& hash =
      credentials ? credentials->password_hash : platform::security::DummyHash();
  ASSIGN_OR_CO_RETURN(
      const Verification verified,
      co_await VerifyGuess(app, http_request, account, hash, request.password.value(),
                           are_kinds_mixed ? RefusalTime::kOfBothKinds : RefusalTime::kOfItsHash));
  if (!credentials || !verified.matches) co_return std::unexpected(WrongCredentials());
  if (verified.needs_rehash) co_await Rehash(app, *credentials, request.password.value());

  // Hashing takes time, in which the account may have been deleted or its password changed.
  ASSIGN_OR_CO_RETURN(auto user,
                      co_await app.users.FindSignedIn(credentials->id, credentials->token_version));
  if (!user) co_return std::unexpected(WrongCredentials());
  std::string token = MakeToken(app, *user, credentials->token_version);
  co_return Login{.token = std::move(token), .user = *std::move(user)};
}

}  // namespace

void AddAuthRoutes(Routes& routes) {
  auto auth = routes.Group("/api/v1/auth", {.name = "auth", .description = "Login"});
  auth.Add(
      Method::kPost, "/login/", Anyone(), LogIn,
      {.id = "logIn",
       .summary = "Log in",
       .description =
           "Returns a token, to be sent unchanged in the Authorization header, and the account.",
       .errors = {ErrorCode::kInvalidArgument, ErrorCode::kTooManyRequests}});
}

}  // namespace customers
