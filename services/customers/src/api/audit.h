#pragma once

#include <optional>

#include "platform/http/message.h"
#include "services/customers/src/domain/session.h"
#include "services/customers/src/domain/user.h"

namespace customers {

// An action on an account. The log has a line for each action; Name returns its name there.
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

// Logs an action: the actor, the action, the account, the request and the client's address. The
// line contains no email and no secret. A failed login has no actor, and no account either if none
// has its email.
void Audit(const platform::http::Request& request, Action action, std::optional<UserId> actor,
           std::optional<UserId> target, std::optional<SessionId> session = std::nullopt);

}  // namespace customers
