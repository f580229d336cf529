#pragma once

#include <optional>
#include <string>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "services/customers/src/domain/recovery.h"
#include "services/customers/src/domain/user.h"
#include "services/customers/src/store/authorization.h"

namespace customers {

// Recovery codes in PostgreSQL, which stores only their digests. Each call is one statement. It
// belongs to the event loop of its client.
class RecoveryStore {
 public:
  template <class T>
  using Reply = platform::Task<platform::Result<T>>;

  explicit RecoveryStore(platform::postgres::Client& client) : client_(client) {}

  // Makes a new code, which is valid for an hour and replaces the user's earlier code. The actor
  // must be an administrator, or nobody; otherwise returns kPermissionDenied. Returns kNotFound if
  // the user does not exist.
  Reply<RecoveryCode> MakeCode(const Actor& actor, UserId user);
  // Returns whether the code is valid.
  Reply<bool> IsValid(const std::string& code);
  // Sets a new password for the account of the code, and deletes the code. Returns the account, or
  // nothing if the code is not valid, for example because it has just been used.
  Reply<std::optional<UserId>> Recover(const std::string& code, const std::string& password_hash);

 private:
  platform::postgres::Client& client_;
};

}  // namespace customers
