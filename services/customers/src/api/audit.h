#pragma once

#include <optional>

#include "platform/http/message.h"
#include "services/customers/src/domain/session.h"
#include "services/customers/src/domain/user.h"

namespace customers {

// What is done to an account. The log has a line for each, whose words for them are Name's.
enum class Action {
  kLogIn,
  kFailToLogIn,
  kLogOut,
  kCreateUser,
  kGrantAdmin,
  kRevokeAdmin,
  kChangeEmail,
  kChangeNames,
  kChangePassword,
  kDeleteUser,
  kEndSession,
  kEndOtherSessions,
  kMakeRecoveryCode,
  kRecoverAccount,
};

// Writes the log's line of something that has been done: who did what to whom, by which request,
// from which address. It holds no email and no secret. Nobody is known as the actor where a login
// fails, and no account where its email has none.
void Audit(const platform::http::Request& request, Action action, std::optional<UserId> actor,
           std::optional<UserId> target, std::optional<SessionId> session = std::nullopt);

}  // namespace customers
