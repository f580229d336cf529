#include <algorithm>
#include <boost/describe/class.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "platform/log/log.h"
#include "platform/schema/text.h"
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
using platform::http::Method;
using platform::http::Request;
using platform::security::HashPool;
using platform::security::HashPurpose;
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

// Replaces the account's hash by one of the configured form, also in `credentials`. The login
// succeeds even if this fails.
Task<void> Rehash(App& app, HashPool::Place& place, Credentials& credentials,
                  std::string password) {
  Result<std::string> hash = co_await place.Hash(std::move(password));
  if (hash) {
    const Result<void> replaced =
        co_await app.users.ReplaceHash(credentials.id, credentials.password_hash, *hash);
    if (replaced) {
      credentials.password_hash = *std::move(hash);
      co_return;
    }
  }
  platform::log::Warning("password hash not renewed", {{"user_id", credentials.id.value()}});
}

// The version in every token that has a session. No account has this version, so a replica of the
// previous version of the program, which does not support sessions, refuses these tokens.
constexpr std::int32_t kVersionWithSession = -1;

bool HasSession(const SignedIn& account) { return account.session != SessionId(); }

std::string MakeToken(const App& app, const SignedIn& account,
                      platform::schema::Timestamp expires) {
  return "Bearer " + app.tokens.Sign({.id = account.id.value(),
                                      .email = account.email.value(),
                                      .is_admin = account.is_admin,
                                      .exp = std::chrono::system_clock::to_time_t(expires),
                                      .version = HasSession(account) ? kVersionWithSession
                                                                     : account.token_version,
                                      .session = account.session.value()});
}

// Logs a warning, at most once a minute in each worker, because an operator must stop the replica
// of the previous version (docs/operations.md).
void WarnOfNoSession(App& app) {
  const auto now = std::chrono::steady_clock::now();
  if (now < app.next_session_warning) return;
  app.next_session_warning = now + std::chrono::minutes(1);
  platform::log::Warning("login without a session",
                         {{"reason", "a replica of the previous version is connected"}});
}

// Returns the client's User-Agent as valid text of bounded length.
std::string UserAgentOf(const Request& request) {
  constexpr std::size_t kMaxBytes = 256;
  std::string agent(request.Header("User-Agent").value_or("").substr(0, kMaxBytes));
  if (!platform::schema::IsText(agent)) {
    std::ranges::replace_if(agent, [](char c) { return c < ' ' || c > '~'; }, '?');
  }
  return agent;
}

Task<Result<Login>> LogIn(App& app, const Request& http_request, LoginRequest request) {
  ASSIGN_OR_CO_RETURN(HashPool::Place place,
                      co_await EnterHashPool(app, http_request, HashPurpose::kLogin));
  ASSIGN_OR_CO_RETURN(auto credentials, co_await app.users.FindCredentialsByEmail(request.email));

  // A refusal takes the same time for unknown and known emails, and for every kind of hash.
  ASSIGN_OR_CO_RETURN(const bool are_kinds_mixed, co_await app.users.HasReferenceHashes());
  const std::string account = credentials ? std::to_string(credentials->id.value()) : request.email;
  const std::string& hash =
      credentials ? credentials->password_hash : platform::security::DummyHash();
  ASSIGN_OR_CO_RETURN(
      const Verification verified,
      co_await VerifyGuess(app, http_request, place, account, hash, request.password.value(),
                           are_kinds_mixed ? RefusalTime::kOfBothKinds : RefusalTime::kOfItsHash));
  if (!credentials || !verified.matches) {
    Audit(http_request, Action::kFailToLogIn, std::nullopt,
          credentials.transform([](const Credentials& found) { return found.id; }));
    co_return std::unexpected(WrongCredentials());
  }
  if (verified.needs_rehash) {
    co_await Rehash(app, place, *credentials, request.password.value());
  }

  // While the password was hashed, the account may have been deleted or its password changed.
  const auto expires = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) +
                       app.config.token_lifetime;
  ASSIGN_OR_CO_RETURN(auto signed_in,
                      co_await app.sessions.Begin({.checked = *credentials,
                                                   .expires = expires,
                                                   .client = std::string(http_request.client),
                                                   .user_agent = UserAgentOf(http_request)}));
  if (!signed_in) co_return std::unexpected(WrongCredentials());
  if (HasSession(*signed_in)) {
    Audit(http_request, Action::kLogIn, signed_in->id, signed_in->id, signed_in->session);
  } else {
    Audit(http_request, Action::kLogIn, signed_in->id, signed_in->id);
    WarnOfNoSession(app);
  }
  co_return Login{.token = MakeToken(app, *signed_in, expires),
                  .user = {.id = signed_in->id,
                           .created = signed_in->created,
                           .email = std::move(signed_in->email),
                           .first_name = std::move(signed_in->first_name),
                           .last_name = std::move(signed_in->last_name),
                           .is_admin = signed_in->is_admin}};
}

Task<Result<void>> LogOut(App& app, const Request& request, Caller caller) {
  CO_RETURN_IF_ERROR(co_await app.sessions.LogOut(caller.actor()));
  Audit(request, Action::kLogOut, caller.user.id, caller.user.id, caller.session);
  co_return Result<void>();
}

}  // namespace

void AddAuthRoutes(Routes& routes) {
  auto auth = routes.Group("/api/v1/auth", {.name = "auth", .description = "Login and logout"});
  auth.Add(Method::kPost, "/login/", Anyone(), LogIn,
           {.id = "logIn",
            .summary = "Log in",
            .description = "Returns a token, to be sent unchanged in the Authorization header, and "
                           "the account.",
            .errors = {ErrorCode::kInvalidArgument, ErrorCode::kTooManyRequests}});
  auth.Add(Method::kPost, "/logout/", SignedInUser(), LogOut,
           {.id = "logOut",
            .summary = "Log out",
            .description = "Ends the session: both services refuse the token from then on. A "
                           "token of the reference, which has no session, is refused together with "
                           "all others of its user."});
}

}  // namespace customers
