#pragma once

#include <optional>
#include <string_view>

#include "platform/result/result.h"
#include "platform/runtime/task.h"
#include "platform/security/jwt.h"
#include "services/customers/src/domain/user.h"
#include "services/customers/src/store/user_store.h"

namespace customers {

// Who a token belongs to, as stored now: a deleted user, a password change or a lost admin right
// counts at once. HTTP and gRPC both ask here. For the event loop of its store.
class Authenticator {
 public:
  Authenticator(const platform::security::TokenCodec& tokens, UserStore& users)
      : tokens_(tokens), users_(users) {}

  // `token` is a JWT without its scheme. Errors, with a reason for the client: kUnauthenticated for
  // what is no valid token, kPermissionDenied for one that was revoked.
  platform::Task<platform::Result<User>> Authenticate(std::string_view token);

 private:
  const platform::security::TokenCodec& tokens_;
  UserStore& users_;
};

}  // namespace customers
