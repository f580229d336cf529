#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/security/jwt.h"
#include "services/customers/src/auth/token_cache.h"
#include "services/customers/src/auth/validation_metrics.h"
#include "services/customers/src/domain/identity.h"
#include "services/customers/src/domain/session.h"
#include "services/customers/src/domain/user.h"
#include "services/customers/src/store/user_store.h"

namespace customers {

// The user of a token, and the token's session, if it has one.
struct Caller {
  User user;
  std::int32_t token_version = 0;
  std::optional<SessionId> session;

  Actor actor() const {
    return {
        .id = user.id, .token_version = token_version, .session = session.value_or(SessionId())};
  }
};

// Finds the user of a token as stored now, so that a deletion, the end of a session, a password
// change or the loss of admin rights takes effect at once. HTTP and gRPC both use it. It belongs to
// the event loop of its store.
//
// Errors carry a reason for the client: kUnauthenticated for an invalid token, kPermissionDenied
// for a revoked one.
class Authenticator {
 public:
  Authenticator(const platform::security::TokenCodec& tokens, UserStore& users)
      : tokens_(tokens), users_(users) {}

  // `token` is a JWT without its scheme.
  platform::Task<platform::Result<Caller>> Authenticate(std::string_view token);

  // Returns a verdict for each of these values of an Authorization header, in their order.
  // kPermissionDenied also for a value that does not have the form
  // "Bearer <token>". If the database does not answer, every valid token gets its error, usually
  // kUnavailable. The texts must outlive the task.
  platform::Task<std::vector<platform::Result<Identity>>> Validate(
      std::vector<std::string_view> authorizations);

  // Metrics of Validate(). Any thread.
  const ValidationMetrics& metrics() const { return metrics_; }

 private:
  platform::Result<VerifiedToken> Verify(std::string_view token);
  platform::Result<VerifiedToken> ReadAuthorization(std::string_view authorization);

  TokenCache tokens_;
  UserStore& users_;
  ValidationMetrics metrics_;
};

}  // namespace customers
