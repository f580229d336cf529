#include "services/customers/src/api/audit.h"

#include <cstdint>
#include <string_view>

#include "platform/log/log.h"

namespace customers {
namespace {

std::string_view Name(Action action) {
  switch (action) {
    case Action::kLogIn:
      return "log_in";
    case Action::kFailToLogIn:
      return "fail_to_log_in";
    case Action::kLogOut:
      return "log_out";
    case Action::kCreateUser:
      return "create_user";
    case Action::kGrantAdmin:
      return "grant_admin";
    case Action::kRevokeAdmin:
      return "revoke_admin";
    case Action::kChangeEmail:
      return "change_email";
    case Action::kChangeNames:
      return "change_names";
    case Action::kChangePassword:
      return "change_password";
    case Action::kDeleteUser:
      return "delete_user";
    case Action::kEndSession:
      return "end_session";
    case Action::kEndOtherSessions:
      return "end_other_sessions";
    case Action::kMakeRecoveryCode:
      return "make_recovery_code";
    case Action::kRecoverAccount:
      return "recover_account";
  }
  return "unknown";
}

template <class Id>
std::optional<std::int32_t> ValueOf(const std::optional<Id>& id) {
  if (!id) return std::nullopt;
  return id->value();
}

}  // namespace

void Audit(const platform::http::Request& request, Action action, std::optional<UserId> actor,
           std::optional<UserId> target, std::optional<SessionId> session) {
  platform::log::Info("audit", {{"action", Name(action)},
                                {"actor_id", ValueOf(actor)},
                                {"target_id", ValueOf(target)},
                                {"session_id", ValueOf(session)},
                                {"request_id", request.id},
                                {"client", request.client}});
}

}  // namespace customers
