#pragma once

#include <string_view>
#include <vector>

#include "platform/result/result.h"
#include "platform/runtime/task.h"
#include "platform/security/jwt.h"
#include "services/customers/src/auth/token_cache.h"
#include "services/customers/src/auth/validation_metrics.h"
#include "services/customers/src/domain/identity.h"
#include "services/customers/src/domain/user.h"
#include "services/customers/src/store/user_store.h"

namespace customers {

// Who a token belongs to, as stored now: a deleted user, a password change or a lost admin right
// counts at once. HTTP and gRPC both ask here. For the event loop of its store.
//
// Errors, with a reason for the client: kUnauthenticated for what is no valid token,
// kPermissionDenied for one that was revoked.
class Authenticator {
 public:
  Authenticator(const platform::security::TokenCodec& tokens, UserStore& users)
      : tokens_(tokens), users_(users) {}

  // `token` is a JWT without its scheme.
  platform::Task<platform::Result<User>> Authenticate(std::string_view token);

  // The verdict on each of these values of an Authorization header, in their order: one statement
  // for all. kPermissionDenied also for a value that has not the form "Bearer <token>". Each of
  // them is kUnavailable, or another error, where the database does not answer. The texts must
  // outlive the task.
  platform::Task<std::vector<platform::Result<Identity>>> Validate(
      std::vector<std::string_view> authorizations);

  // Of Validate. Any thread.
  const ValidationMetrics& metrics() const { return metrics_; }

 private:
  platform::Result<VerifiedToken> Verify(std::string_view token);
  platform::Result<VerifiedToken> ReadAuthorization(std::string_view authorization);

  TokenCache tokens_;
  UserStore& users_;
  ValidationMetrics metrics_;
};

}  // namespace customers
